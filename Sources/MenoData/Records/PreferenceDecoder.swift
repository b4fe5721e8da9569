internal import MenoFormats
internal import MenoTokenizers

/// Reads a pair of a completion that was chosen and one that was rejected.
struct PreferenceDecoder {
    typealias Rejection = RecordDecoder.Rejection

    /// - Returns: the chosen side as the record's content, the other as ``Record/rejected``.
    func record(_ value: JSONValue) throws(Rejection) -> Record {
        for (side, other) in [("chosen", "rejected"), ("rejected", "chosen")]
        where value[side].map(\.isNull) ?? true {
            throw Rejection(kind: .noPair, reason: "has \"\(other)\" and no \"\(side)\".")
        }
        let isDialogue = value["chosen"]?.array != nil || value["rejected"]?.array != nil
        return try isDialogue ? dialogues(value) : texts(value)
    }

    // MARK: Turns

    private func dialogues(_ value: JSONValue) throws(Rejection) -> Record {
        var chosen = try DialogueDecoder(key: "chosen").turns(value["chosen"])
        var rejected = try DialogueDecoder(key: "rejected").turns(value["rejected"])
        try requireAnswer(chosen, "chosen")
        try requireAnswer(rejected, "rejected")
        var prompt = try prompt(value, before: chosen)
        // Some data sets give the prompt beside whole conversations.
        if chosen.starts(with: prompt), rejected.starts(with: prompt) {
            chosen.removeFirst(prompt.count)
            rejected.removeFirst(prompt.count)
        }
        guard chosen != rejected else {
            throw Rejection(kind: .equalSides, reason: "has a \"chosen\" and a \"rejected\" that are equal.")
        }
        if prompt.isEmpty {
            prompt = zip(chosen, rejected).prefix { $0 == $1 }.map(\.0)
            chosen.removeFirst(prompt.count)
            rejected.removeFirst(prompt.count)
        }
        guard !prompt.isEmpty else {
            throw Rejection(
                kind: .noPair, reason: "has no \"prompt\", and \"chosen\" and \"rejected\" begin with different turns.")
        }
        guard !chosen.isEmpty, !rejected.isEmpty else {
            let side = chosen.isEmpty ? "chosen" : "rejected"
            throw Rejection(kind: .empty, reason: "has a \"\(side)\" that ends where the other side goes on.")
        }
        var record = Record(place: "", content: .dialogue(prompt + chosen), promptTurns: prompt.count)
        record.rejected = .dialogue(prompt + rejected)
        return record
    }

    /// The turns of `prompt`: a text is the user's turn, unless the sides bring their first turns themselves.
    private func prompt(_ value: JSONValue, before side: [ChatMessage]) throws(Rejection) -> [ChatMessage] {
        switch value["prompt"] {
        case nil, .null: return []
        case .string(let text): return side.first?.role == .assistant ? [ChatMessage(.user, text)] : []
        default: return try DialogueDecoder(key: "prompt").turns(value["prompt"])
        }
    }

    private func requireAnswer(_ turns: [ChatMessage], _ side: String) throws(Rejection) {
        guard let last = turns.last else { throw Rejection(kind: .empty, reason: "has an empty \"\(side)\".") }
        guard last.role == .assistant else {
            throw Rejection(
                kind: .noPair,
                reason: "has a \"\(side)\" whose last turn is not the assistant's, but \"\(last.role.rawValue)\"'s.")
        }
        guard !isBlank(last.content) || last["tool_calls"] != nil else {
            throw Rejection(kind: .empty, reason: "has an empty answer in \"\(side)\".")
        }
    }

    // MARK: Texts

    private func texts(_ value: JSONValue) throws(Rejection) -> Record {
        var sides: [String] = []
        for key in ["chosen", "rejected"] {
            guard let text = value[key]?.string else {
                throw Rejection(
                    kind: .unknownShape,
                    reason: "has \(value[key]?.kindName ?? "nothing") as \"\(key)\"; expected a string or turns.")
            }
            guard !isBlank(text) else { throw Rejection(kind: .empty, reason: "has an empty \"\(key)\".") }
            sides.append(text)
        }
        guard sides[0] != sides[1] else {
            throw Rejection(kind: .equalSides, reason: "has a \"chosen\" and a \"rejected\" that are equal.")
        }
        var prompt = ""
        if let given = value["prompt"], !given.isNull {
            guard let text = given.string else {
                throw Rejection(
                    kind: .unknownShape, reason: "has \(given.kindName) as \"prompt\" beside texts; expected a string.")
            }
            prompt = text
        } else {
            prompt = commonBeginning(sides[0], sides[1])
            sides = sides.map { String($0.unicodeScalars.dropFirst(prompt.unicodeScalars.count)) }
            for (side, text) in zip(["chosen", "rejected"], sides) where isBlank(text) {
                throw Rejection(kind: .empty, reason: "has a \"\(side)\" that ends where the other side goes on.")
            }
        }
        var record = Record(place: "", content: .completion(prompt: prompt, completion: sides[0]))
        record.rejected = .completion(prompt: prompt, completion: sides[1])
        return record
    }

    /// What two texts begin with, without a space at its end, which belongs to the words that follow.
    private func commonBeginning(_ a: String, _ b: String) -> String {
        let common = zip(a.unicodeScalars, b.unicodeScalars).prefix { $0 == $1 }.map(\.0)
        return String(String.UnicodeScalarView(common.last == " " ? common.dropLast() : common[...]))
    }

    private func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }
}
