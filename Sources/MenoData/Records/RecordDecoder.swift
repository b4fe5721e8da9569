internal import MenoFormats
internal import MenoTokenizers

/// Reads one record from its JSON.
package struct RecordDecoder: Sendable {
    struct Rejection: Error {
        var kind: DataReport.Problem.Kind
        var reason: String
    }

    let format: RecordFormat
    let mapping: RecordMapping

    package init(format: RecordFormat, mapping: RecordMapping = RecordMapping()) {
        (self.format, self.mapping) = (format, mapping)
    }

    /// - Throws: ``Rejection`` where the value is no record.
    func decode(_ value: JSONValue, place: String) throws(Rejection) -> Record {
        let value = mapping.applied(to: value)
        guard let members = value.object else {
            throw Rejection(kind: .unknownShape, reason: "is \(value.kindName), not a JSON object.")
        }
        var record = try content(value)
        record.place = place
        record.source = Self.sourceKeys.lazy.compactMap { value[$0]?.string }.first
        if record.isDialogue { try requireOnlyText(value) }
        let used = Self.sourceKeys + (shape(of: value)?.keys ?? []) + (record.isDialogue ? Self.dialogueKeys : [])
        record.variables = try members.filter { !used.contains($0.key) && !$0.value.isNull }
            .map { member throws(Rejection) -> JSONValue.Member in
                switch member.key {
                case "tools" where record.isDialogue: .init("tools", try parsed(member.value, "tools"))
                case "label": .init("label", Self.label(member.value))
                default: member
                }
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

    /// A label as tables without types have it.
    private static func label(_ value: JSONValue) -> JSONValue {
        switch value.string?.lowercased() {
        case "true", "1": .boolean(true)
        case "false", "0": .boolean(false)
        default: value
        }
    }

    /// Refuses what a dialogue shows beside its texts: learnt without it, answers would be guesses.
    private func requireOnlyText(_ value: JSONValue) throws(Rejection) {
        for key in ["images", "image", "videos", "audios"] {
            switch value[key] {
            case nil, .null: continue
            case .array(let all)? where all.isEmpty: continue
            default:
                throw Rejection(
                    kind: .notText, reason: "has \"\(key)\"; only text can be trained on.")
            }
        }
    }

    // MARK: Shapes

    private struct Shape {
        var format: RecordFormat
        /// The first one tells the shape.
        var keys: [String]
        /// Others that do.
        var others: [String] = []
        /// What must be there besides.
        var partner: String?

        func isTold(by value: JSONValue, _ test: (JSONValue) -> Bool = { _ in true }) -> Bool {
            (value[keys[0]].map(test) ?? false || others.contains { value[$0].map(test) ?? false })
                && (partner.map { value[$0].map(test) ?? false } ?? true)
        }
    }

    /// In the order in which they are looked for.
    private static let shapes = [
        Shape(format: .messages, keys: ["messages"]),
        Shape(format: .conversations, keys: ["conversations", "conversation"], others: ["conversation"]),
        Shape(format: .preference, keys: ["chosen", "rejected", "prompt"], others: ["rejected"]),
        Shape(format: .promptCompletion, keys: ["prompt", "completion"]), Shape(format: .text, keys: ["text"]),
        Shape(format: .promptResponse, keys: ["prompt", "response"], partner: "response"),
        Shape(format: .alpaca, keys: ["instruction", "input", "output", "history"]),
        Shape(format: .questionAnswer, keys: ["question", "answer"]),
        Shape(format: .tokens, keys: ["input_ids", "labels", "attention_mask"]),
    ]
    /// The keys by which records are known.
    static let shapeKeys = Set(shapes.flatMap { [$0.keys[0]] + $0.others })
    private static let sourceKeys = ["source", "source_file"]
    /// What a dialogue says beside its turns and is not passed on under this name.
    private static let dialogueKeys = ["system", "chat_template_kwargs"]

    private func shape(of value: JSONValue) -> Shape? {
        // Tables with a column for each shape have null in those that a record does not use.
        let told = Self.shapes.lazy.filter { (format == .auto || format == $0.format) && $0.isTold(by: value) }
            .filter { $0.isTold(by: value) { !$0.isNull } }
        guard let first = told.first else {
            return Self.shapes.first { (format == .auto || format == $0.format) && $0.isTold(by: value) }
        }
        if first.format == .promptCompletion, value["completion"]?.isNull ?? true,
            let other = told.first(where: { $0.format == .promptResponse })
        {
            return other
        }
        return first
    }

    private func content(_ value: JSONValue) throws(Rejection) -> Record {
        guard let shape = shape(of: value) else {
            let expected = format == .auto ? Self.shapes : Self.shapes.filter { $0.format == format }
            var keys: [String] = []
            for shape in expected where !keys.contains(shape.keys[0]) { keys.append(shape.keys[0]) }
            let found = (value.object ?? []).map(\.key).sorted().prefix(5).joined(separator: ", ")
            throw Rejection(
                kind: .unknownShape,
                reason: "has none of the keys \(keys.map { "\"\($0)\"" }.joined(separator: ", ")) (its keys: \(found))."
            )
        }
        switch shape.format {
        case .messages, .conversations:
            let key = shape.keys.first { !(value[$0]?.isNull ?? true) } ?? shape.keys[0]
            let messages = try DialogueDecoder(key: key).turns(value[key])
            guard !messages.isEmpty else { throw Rejection(kind: .empty, reason: "\"\(key)\" is empty.") }
            return Record(place: "", content: .dialogue(try withSystem(messages, value)))
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
        case .promptResponse: return try exchange(value, "prompt", "response")
        case .questionAnswer: return try exchange(value, "question", "answer")
        case .alpaca: return try alpaca(value)
        case .tokens: return Record(place: "", content: try TokenDecoder().content(value))
        case .text, .auto:
            let text = try text(value, "text")
            guard !isBlank(text) else { throw Rejection(kind: .empty, reason: "has an empty \"text\".") }
            return Record(place: "", content: .text(text))
        }
    }

    /// What ShareGPT and Alpaca write beside the turns is their first one.
    private func withSystem(_ messages: [ChatMessage], _ value: JSONValue) throws(Rejection) -> [ChatMessage] {
        guard let system = value["system"], !system.isNull, system.string != "", messages.first?.role != .system else {
            return messages
        }
        guard let text = system.string else {
            throw Rejection(kind: .unknownShape, reason: "has \(system.kindName) as \"system\"; expected a string.")
        }
        return [ChatMessage(.system, text)] + messages
    }

    /// A question and its answer, the two turns of a dialogue.
    private func exchange(_ value: JSONValue, _ question: String, _ answer: String) throws(Rejection) -> Record {
        let (asked, answered) = (try text(value, question), try text(value, answer))
        for (key, text) in [(question, asked), (answer, answered)] where isBlank(text) {
            throw Rejection(kind: .empty, reason: "has an empty \"\(key)\".")
        }
        let turns = [ChatMessage(.user, asked), ChatMessage(.assistant, answered)]
        return Record(place: "", content: .dialogue(try withSystem(turns, value)))
    }

    /// Alpaca's shape: the input stands on a line of its own behind the instruction, earlier exchanges before both.
    private func alpaca(_ value: JSONValue) throws(Rejection) -> Record {
        var turns: [ChatMessage] = []
        for (index, pair) in (value["history"]?.array ?? []).enumerated() {
            guard let texts = pair.array?.map(\.string), texts.count == 2, let asked = texts[0], let answered = texts[1]
            else {
                throw Rejection(
                    kind: .unknownShape, reason: "history[\(index)] is no pair of texts, a question and its answer.")
            }
            turns += [ChatMessage(.user, asked), ChatMessage(.assistant, answered)]
        }
        var asked = try text(value, "instruction")
        if let input = value["input"], !input.isNull {
            let input = try text(value, "input")
            if !input.isEmpty { asked += (asked.isEmpty ? "" : "\n") + input }
        }
        guard !isBlank(asked) else { throw Rejection(kind: .empty, reason: "has an empty \"instruction\".") }
        let answered = try text(value, "output")
        guard !isBlank(answered) else { throw Rejection(kind: .empty, reason: "has an empty \"output\".") }
        turns += [ChatMessage(.user, asked), ChatMessage(.assistant, answered)]
        return Record(place: "", content: .dialogue(try withSystem(turns, value)))
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
