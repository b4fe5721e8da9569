internal import MenoFormats
internal import MenoTokenizers

extension ExampleBuilder {
    /// Everything that changes an example, beside the records.
    package var identity: [String] {
        let members = JSONValue.object(variables).description
        return [
            "1", tokenizer.identity, template.map { "\($0)\n\($0.source)" } ?? "", members, "\(maxLength)",
            lossTarget.rawValue, lengthPolicy.rawValue, "\(unit)", "\(keepsTextsWhole)", writtenDate,
        ]
    }

    /// What the template writes of the date that it takes for the present: most write the day alone.
    private var writtenDate: String {
        guard let template, template.writesDate else { return "" }
        let turns = [ChatMessage(.user, "a"), ChatMessage(.assistant, "b")]
        let texts = [turns, [ChatMessage(.system, "c")] + turns].map { messages in
            (try? template.render(messages, variables: variables).text) ?? ""
        }
        return texts.joined(separator: "\n")
    }
}

extension BlockBuilder {
    /// Everything that changes a block, beside the documents.
    package var identity: String { "\(length) \(overlap) \(bosID ?? -1)" }
}
