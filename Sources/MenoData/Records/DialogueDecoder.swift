internal import MenoFormats
internal import MenoTokenizers

/// Reads the turns of a dialogue.
///
/// Which roles there are and in what order they come is the chat template's business: every role and every member of a turn
/// is passed on.
struct DialogueDecoder {
    typealias Rejection = RecordDecoder.Rejection

    /// Where the turns stand in their record: `messages`.
    let key: String

    func turns(_ value: JSONValue?) throws(Rejection) -> [ChatMessage] {
        // Tables hold turns as the text of their JSON.
        let parsed = value?.string.flatMap { try? JSONReader.value(of: $0) } ?? value
        guard let turns = parsed?.array else {
            throw Rejection(kind: .unknownShape, reason: "\"\(key)\" is not an array.")
        }
        var messages: [ChatMessage] = []
        for (index, turn) in turns.enumerated() {
            if let both = exchange(turn) {
                messages += both
            } else {
                messages.append(try message(turn, "\(key)[\(index)]"))
            }
        }
        return messages
    }

    /// Two turns in one object: `{"human": …, "assistant": …}`.
    private func exchange(_ turn: JSONValue) -> [ChatMessage]? {
        guard turn["role"] == nil, turn["from"] == nil,
            let asked = ["human", "user"].lazy.compactMap({ turn[$0]?.string }).first,
            let answered = ["assistant", "gpt", "bot"].lazy.compactMap({ turn[$0]?.string }).first
        else { return nil }
        return [ChatMessage(.user, asked), ChatMessage(.assistant, answered)]
    }

    /// Keys whose values are the trainer's.
    static let lossKeys = ["weight", "train", "training"]

    private func message(_ turn: JSONValue, _ place: String) throws(Rejection) -> ChatMessage {
        // ShareGPT's names, and those of OpenAI's API.
        let isShareGPT = turn["role"] == nil && turn["from"] != nil
        let usesValue = turn["content"] == nil && (isShareGPT || turn["value"] != nil)
        let names = (role: isShareGPT ? "from" : "role", content: usesValue ? "value" : "content")
        guard let members = turn.object, let role = turn[names.role]?.string else {
            throw Rejection(kind: .unknownShape, reason: "\(place) is no object with a string \"\(names.role)\".")
        }
        var message = ChatMessage(Self.roles[role] ?? .init(rawValue: role), "")
        // Tables give every turn the members of all turns, with null where it has none.
        message.members = members.filter {
            $0.key != names.role && $0.key != names.content && !$0.value.isNull
                && !($0.key == "tool_calls" && $0.value.array?.isEmpty ?? false)
        }
        message.carriesLoss = try carriesLoss(turn, place)
        if role == "function_call" {
            message.members.append(.init("tool_calls", try calls(turn[names.content], place)))
            message.form = .absent
            return message
        }
        switch turn[names.content] {
        case nil: message.form = .absent
        case .null: message.form = .null
        case .string(let text): message.content = text
        case .array(let parts) where !parts.isEmpty:
            message.form = .parts(parts)
            for part in parts { message.content += try text(of: part, place) }
        case let other?:
            throw Rejection(
                kind: .unknownShape,
                reason: "\(place) has \(other.kindName) as \"\(names.content)\"; expected a string.")
        }
        return message
    }

    /// Other names of roles.
    private static let roles: [String: ChatMessage.Role] = [
        "human": .user, "model": .assistant, "gpt": .assistant, "chatgpt": .assistant, "bing": .assistant,
        "bard": .assistant, "function_call": .assistant, "observation": .tool, "function_response": .tool,
    ]

    private func text(of part: JSONValue, _ place: String) throws(Rejection) -> String {
        if let text = part["text"]?.string { return text }
        if let type = part["type"]?.string, ["image", "image_url", "video", "audio", "input_audio"].contains(type) {
            throw Rejection(
                kind: .notText,
                reason: "\(place) has a part of type \"\(type)\" in its content; only text can be trained on.")
        }
        let kind = part["type"]?.string.map { "of type \"\($0)\"" } ?? "that is \(part.kindName)"
        throw Rejection(
            kind: .unknownShape, reason: "\(place) has a part \(kind) in its content; only text can be trained on.")
    }

    private func carriesLoss(_ turn: JSONValue, _ place: String) throws(Rejection) -> Bool {
        for key in Self.lossKeys {
            switch turn[key] {
            case nil, .null, .boolean(true), .integer(1), .number(1): continue
            case .boolean(false), .integer(0), .number(0): return false
            case let other?:
                throw Rejection(
                    kind: .unknownShape,
                    reason: "\(place) has the \"\(key)\" \(other); a turn is learnt (1, true) or not (0, false).")
            }
        }
        return true
    }

    /// The call of a turn `{"from": "function_call", "value": "{\"name\": …, \"arguments\": …}"}`.
    private func calls(_ value: JSONValue?, _ place: String) throws(Rejection) -> JSONValue {
        let parsed = value?.string.flatMap { try? JSONReader.value(of: $0) } ?? value
        let calls = parsed?.array ?? [parsed ?? .null]
        guard calls.allSatisfy({ $0["name"]?.string != nil }) else {
            throw Rejection(
                kind: .unknownShape,
                reason: "\(place) is a call, but not the JSON of {\"name\": …, \"arguments\": …}.")
        }
        return .array(calls.map { .object([.init("type", .string("function")), .init("function", $0)]) })
    }
}
