internal import Foundation
internal import MenoTokenizers

/// Reads one record from its JSON.
struct RecordDecoder {
    struct Rejection: Error {
        var kind: DataReport.Problem.Kind
        var reason: String
    }

    let format: RecordFormat
    /// How many dialogues had a member beside their turns that a chat template could have written, by its key.
    private(set) var ignored: [String: Int] = [:]

    init(format: RecordFormat) { self.format = format }

    mutating func decode(_ json: Data, place: String) throws(Rejection) -> Record {
        guard String(validating: json, as: UTF8.self) != nil else {
            throw Rejection(kind: .notUTF8, reason: "has bytes that are not UTF-8.")
        }
        guard let value = try? JSONSerialization.jsonObject(with: json, options: .fragmentsAllowed) else {
            throw Rejection(kind: .notJSON, reason: "is not valid JSON.")
        }
        guard let object = value as? [String: Any] else {
            throw Rejection(kind: .unknownShape, reason: "is not a JSON object.")
        }
        let source = ["source", "source_file"].lazy.compactMap { object[$0] as? String }.first
        return Record(place: place, source: source, content: try content(object))
    }

    private mutating func content(_ object: [String: Any]) throws(Rejection) -> Record.Content {
        let shapes: [(RecordFormat, String)] = [
            (.messages, "messages"), (.conversations, "conversations"), (.promptCompletion, "prompt"), (.text, "text"),
        ]
        let present = shapes.filter { (format == .auto || format == $0.0) && object[$0.1] != nil }
        // Tables with a column for each shape have null in those that a record does not use.
        guard let (shape, key) = present.first(where: { !(object[$0.1] is NSNull) }) ?? present.first else {
            let expected = format == .auto ? shapes : shapes.filter { $0.0 == format }
            let keys = expected.map { "\"\($0.1)\"" }.joined(separator: ", ")
            let found = object.keys.sorted().prefix(5).joined(separator: ", ")
            throw Rejection(kind: .unknownShape, reason: "has none of the keys \(keys) (its keys: \(found)).")
        }
        switch shape {
        case .messages: return .dialogue(try dialogue(object, key: key, role: "role", content: "content"))
        case .conversations: return .dialogue(try dialogue(object, key: key, role: "from", content: "value"))
        case .promptCompletion:
            let completion = try text(object, "completion")
            guard !isBlank(completion) else { throw Rejection(kind: .empty, reason: "has an empty \"completion\".") }
            return .completion(prompt: try text(object, "prompt"), completion: completion)
        case .text, .auto:
            let text = try text(object, key)
            guard !isBlank(text) else { throw Rejection(kind: .empty, reason: "has an empty \"text\".") }
            return .text(text)
        }
    }

    private mutating func dialogue(
        _ object: [String: Any], key: String, role: String, content: String
    ) throws(Rejection) -> [ChatMessage] {
        guard let turns = object[key] as? [Any] else {
            throw Rejection(kind: .unknownShape, reason: "\"\(key)\" is not an array.")
        }
        var messages: [ChatMessage] = []
        for (index, turn) in turns.enumerated() {
            let place = "\(key)[\(index)]"
            guard let turn = turn as? [String: Any], let name = turn[role] as? String else {
                throw Rejection(kind: .unknownShape, reason: "\(place) is no object with a string \"\(role)\".")
            }
            guard let role = Self.roles[name] else {
                throw Rejection(
                    kind: .unknownRole,
                    reason:
                        "\(place) has the role \"\(name)\"; expected system, user (human) or assistant (model, gpt).")
            }
            guard !Self.hasContent(turn["tool_calls"]) else {
                throw Rejection(
                    kind: .unknownShape,
                    reason:
                        "\(place) has \"tool_calls\", which cannot be trained on: without them, the model would learn not to "
                        + "call.")
            }
            guard let text = Self.text(turn[content]) else {
                throw Rejection(kind: .unknownShape, reason: "\(place) has no string \"\(content)\".")
            }
            guard !isBlank(text) else { throw Rejection(kind: .empty, reason: "\(place) is empty.") }
            messages.append(ChatMessage(role, text))
        }
        try checkOrder(messages, key: key)
        for key in ["tools", "system"] where Self.hasContent(object[key]) { ignored[key, default: 0] += 1 }
        return messages
    }

    private func checkOrder(_ messages: [ChatMessage], key: String) throws(Rejection) {
        guard !messages.isEmpty else { throw Rejection(kind: .empty, reason: "\"\(key)\" is empty.") }
        var expected = ChatMessage.Role.user
        for (index, message) in messages.enumerated() {
            if index == 0, message.role == .system { continue }
            guard message.role == expected else {
                throw Rejection(
                    kind: .wrongRoleOrder,
                    reason: "\(key)[\(index)] is the \(message.role.rawValue)'s; expected the \(expected.rawValue)'s "
                        + "(turns alternate, the user's first).")
            }
            expected = expected == .user ? .assistant : .user
        }
        guard messages.contains(where: { $0.role == .assistant }) else {
            throw Rejection(kind: .wrongRoleOrder, reason: "\"\(key)\" has no answer of the assistant.")
        }
    }

    private func text(_ object: [String: Any], _ key: String) throws(Rejection) -> String {
        guard let text = object[key] as? String else {
            throw Rejection(kind: .unknownShape, reason: "has no string \"\(key)\".")
        }
        return text
    }

    private func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

    private static let roles: [String: ChatMessage.Role] = [
        "system": .system, "user": .user, "human": .user, "assistant": .assistant, "model": .assistant,
        "gpt": .assistant,
    ]

    /// Whether a member is there and neither null nor empty.
    private static func hasContent(_ value: Any?) -> Bool {
        switch value {
        case nil, is NSNull: false
        case let text as String: !text.isEmpty
        case let array as [Any]: !array.isEmpty
        default: true
        }
    }

    /// A string, or the joined texts of content parts `[{"type": "text", "text": …}]`.
    private static func text(_ value: Any?) -> String? {
        if let text = value as? String { return text }
        guard let parts = value as? [[String: Any]], !parts.isEmpty else { return nil }
        let texts = parts.compactMap { $0["text"] as? String }
        return texts.count == parts.count ? texts.joined() : nil
    }
}
