internal import MenoFormats
internal import MenoJinja

/// How a template handles data that records may write in two ways, found by rendering small conversations.
struct TemplateHabits: Sendable, Hashable {
    /// How a template writes the arguments of a call.
    enum Arguments: Sendable, Hashable {
        /// An object and its text alike, or neither.
        case any
        /// Only from an object: of a text it would write the quotes with backslashes.
        case object
        /// Only from a text: an object would become Python's own notation, or an error.
        case text
    }

    var takesParts = false
    var arguments = Arguments.any

    static let none = TemplateHabits()
    /// Everything is passed unchanged, to see how the template handles it.
    static let probing = TemplateHabits(takesParts: true)

    private init(takesParts: Bool = false) { self.takesParts = takesParts }

    /// - Parameter render: renders with ``probing``; `nil` where it refuses.
    init(_ render: ([ChatMessage]) -> String?) {
        let word = "meno-probe"
        let parts = JSONValue.array([.object([.init("type", .string("text")), .init("text", .string(word))])])
        let text = render([ChatMessage(.user, word, form: .parts(parts.array ?? []))])
        takesParts = text.map { $0.contains(word) && !$0.contains("'text'") && !$0.contains("\"text\"") } ?? false

        let object = JSONValue.object([.init(word, .string("value"))])
        func call(_ arguments: JSONValue) -> String? {
            let function = JSONValue.object([.init("name", .string("probe")), .init("arguments", arguments)])
            let call = JSONValue.object([
                .init("id", .string("probe0001")), .init("type", .string("function")), .init("function", function),
            ])
            return render([
                ChatMessage(.user, "?"), ChatMessage(.assistant, "", members: [.init("tool_calls", .array([call]))]),
            ])
        }
        let fromObject = call(object).map { $0.contains(word) && !$0.contains("{'\(word)'") } ?? false
        let fromText = call(.string(object.description))?.contains(object.description) ?? false
        arguments = fromObject == fromText ? .any : fromObject ? .object : .text
    }

    /// A turn as the template is given it.
    func value(_ message: ChatMessage) -> JinjaValue {
        var entries: [JinjaValue.Entry] = [.init(key: "role", value: .string(message.role.rawValue))]
        switch message.form {
        case .text: entries.append(.init(key: "content", value: .string(message.content)))
        case .null: entries.append(.init(key: "content", value: .none))
        case .absent: break
        case .parts(let parts):
            let value = takesParts ? JinjaValue(.array(parts)) : .string(message.content)
            entries.append(.init(key: "content", value: value))
        }
        for member in message.members where member.key != "role" && member.key != "content" {
            let value = member.key == "tool_calls" ? calls(member.value) : member.value
            entries.append(.init(key: member.key, value: JinjaValue(value)))
        }
        return .object(entries)
    }

    /// Calls with their arguments in the form that the template takes.
    private func calls(_ value: JSONValue) -> JSONValue {
        guard arguments != .any, let calls = value.array else { return value }
        let withArguments = { (call: JSONValue) in changed(call, "arguments", argument) }
        return .array(calls.map { changed(withArguments($0), "function", withArguments) })
    }

    private func argument(_ value: JSONValue) -> JSONValue {
        switch (arguments, value) {
        case (.object, .string(let text)):
            guard let parsed = try? JSONReader.value(of: text), parsed.object != nil else { return value }
            return parsed
        case (.text, .object): return .string(value.description)
        default: return value
        }
    }

    private func changed(_ value: JSONValue, _ key: String, _ change: (JSONValue) -> JSONValue) -> JSONValue {
        guard let members = value.object else { return value }
        return .object(members.map { $0.key == key ? .init(key, change($0.value)) : $0 })
    }
}
