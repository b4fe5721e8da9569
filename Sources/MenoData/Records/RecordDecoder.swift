internal import MenoFormats
internal import MenoTokenizers

/// Reads one record from its JSON.
struct RecordDecoder {
    struct Rejection: Error {
        var kind: DataReport.Problem.Kind
        var reason: String
    }

    let format: RecordFormat

    init(format: RecordFormat) { self.format = format }

    /// - Throws: ``Rejection`` where the value is no record.
    func decode(_ value: JSONValue, place: String) throws(Rejection) -> Record {
        guard let members = value.object else {
            throw Rejection(kind: .unknownShape, reason: "is \(value.kindName), not a JSON object.")
        }
        var record = try content(value)
        record.place = place
        record.source = Self.sourceKeys.lazy.compactMap { value[$0]?.string }.first
        let used = Self.sourceKeys + (shape(of: value)?.keys ?? []) + (record.isDialogue ? Self.dialogueKeys : [])
        record.variables = try members.filter { !used.contains($0.key) && !$0.value.isNull }
            .map { member throws(Rejection) in
                record.isDialogue && member.key == "tools" ? .init("tools", try parsed(member.value, "tools")) : member
            }
        if record.isDialogue, let arguments = value["chat_template_kwargs"], !arguments.isNull {
            guard let members = try parsed(arguments, "chat_template_kwargs").object else {
                throw Rejection(
                    kind: .unknownShape,
                    reason: "has \(arguments.kindName) as \"chat_template_kwargs\"; expected an object.")
            }
            record.variables = record.variables.overridden(by: members)
        }
        return record
    }

    // MARK: Shapes

    private struct Shape {
        var format: RecordFormat
        /// The first one tells the shape.
        var keys: [String]
        /// Another one that does.
        var other: String?

        func isTold(by value: JSONValue, _ test: (JSONValue) -> Bool = { _ in true }) -> Bool {
            [keys[0], other].compactMap { $0 }.contains { value[$0].map(test) ?? false }
        }
    }

    private static let shapes = [
        Shape(format: .messages, keys: ["messages"]), Shape(format: .conversations, keys: ["conversations"]),
        Shape(format: .preference, keys: ["chosen", "rejected", "prompt"], other: "rejected"),
        Shape(format: .promptCompletion, keys: ["prompt", "completion"]), Shape(format: .text, keys: ["text"]),
    ]
    /// The keys by which records are known.
    static let shapeKeys = shapes.map { $0.keys[0] }
    private static let sourceKeys = ["source", "source_file"]
    /// What a dialogue says beside its turns and is not passed on under this name.
    private static let dialogueKeys = ["system", "chat_template_kwargs"]

    private func shape(of value: JSONValue) -> Shape? {
        let present = Self.shapes.filter { (format == .auto || format == $0.format) && $0.isTold(by: value) }
        // Tables with a column for each shape have null in those that a record does not use.
        return present.first { $0.isTold(by: value) { !$0.isNull } } ?? present.first
    }

    private func content(_ value: JSONValue) throws(Rejection) -> Record {
        guard let shape = shape(of: value) else {
            let expected = format == .auto ? Self.shapes : Self.shapes.filter { $0.format == format }
            let keys = expected.map { "\"\($0.keys[0])\"" }.joined(separator: ", ")
            let found = (value.object ?? []).map(\.key).sorted().prefix(5).joined(separator: ", ")
            throw Rejection(kind: .unknownShape, reason: "has none of the keys \(keys) (its keys: \(found)).")
        }
        switch shape.format {
        case .messages, .conversations:
            var messages = try DialogueDecoder(key: shape.keys[0]).turns(value[shape.keys[0]])
            guard !messages.isEmpty else {
                throw Rejection(kind: .empty, reason: "\"\(shape.keys[0])\" is empty.")
            }
            // What ShareGPT writes beside the turns is their first one.
            if let system = value["system"], !system.isNull, system.string != "", messages.first?.role != .system {
                guard let text = system.string else {
                    throw Rejection(
                        kind: .unknownShape, reason: "has \(system.kindName) as \"system\"; expected a string.")
                }
                messages.insert(ChatMessage(.system, text), at: 0)
            }
            return Record(place: "", content: .dialogue(messages))
        case .preference: return try PreferenceDecoder().record(value)
        case .promptCompletion:
            if value["prompt"]?.array != nil || value["completion"]?.array != nil {
                let prompt = try DialogueDecoder(key: "prompt").turns(value["prompt"])
                let completion = try DialogueDecoder(key: "completion").turns(value["completion"])
                guard !completion.isEmpty else { throw Rejection(kind: .empty, reason: "has an empty \"completion\".") }
                return Record(place: "", content: .dialogue(prompt + completion), promptTurns: prompt.count)
            }
            let completion = try text(value, "completion")
            guard !isBlank(completion) else { throw Rejection(kind: .empty, reason: "has an empty \"completion\".") }
            return Record(place: "", content: .completion(prompt: try text(value, "prompt"), completion: completion))
        case .text, .auto:
            let text = try text(value, "text")
            guard !isBlank(text) else { throw Rejection(kind: .empty, reason: "has an empty \"text\".") }
            return Record(place: "", content: .text(text))
        }
    }

    private func text(_ value: JSONValue, _ key: String) throws(Rejection) -> String {
        guard let text = value[key]?.string else {
            throw Rejection(kind: .unknownShape, reason: "has no string \"\(key)\".")
        }
        return text
    }

    private func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

    /// A value that tables hold as the text of its JSON.
    private func parsed(_ value: JSONValue, _ key: String) throws(Rejection) -> JSONValue {
        guard let text = value.string else { return value }
        do throws(JSONReader.Fault) {
            return try JSONReader.value(of: text)
        } catch {
            throw Rejection(
                kind: .notJSON,
                reason:
                    "has a text as \"\(key)\" that is not JSON: \(error.message) (byte \(error.offset) of the text).")
        }
    }
}
