/// Turns the records of a source into examples, on all cores, in their order.
package struct ExamplePreparation: Sendable {
    package var pass: RecordPass
    package var builder: ExampleBuilder
    /// How texts are cut into blocks; `nil`: each is an example.
    package var blocks: BlockBuilder?
    /// The system turn of dialogues that have none.
    package var system: String?

    package init(decoder: RecordDecoder, builder: ExampleBuilder) {
        pass = RecordPass(decoder)
        self.builder = builder
    }

    /// Everything that changes an example, beside the source.
    package var identity: [String] {
        builder.identity + [indexIdentity, blocks?.identity ?? "", "\(pass.dropsDuplicates)", system ?? ""]
    }
    /// Everything that changes where records lie, which of them are fit, and what is noted of them.
    package var indexIdentity: String { "records \(StoreSummary.currentVersion) \(pass.decoder)" }

    /// What some records in a row became.
    package struct Chunk: Sendable {
        package var records: Int
        /// In the source.
        package var bytes: Int
        package var examples: [Example]
        /// The record of each example, counted from the beginning of the source.
        var origins: [Int] = []
        /// Which of the examples are documents that are still to be cut into blocks; empty: none.
        var isDocument: [Bool] = []
        package var findings = PreparationFindings()
    }

    /// The examples of some records.
    @Sendable func chunk(_ records: RecordPass.Records) throws -> Chunk {
        var chunk = Chunk(records: records.all.count, bytes: records.bytes, examples: [])
        if records.start > 0 { chunk.findings = PreparationFindings(memberTrials: Self.laterTrials) }
        for (index, raw) in records.all.enumerated() {
            var decoded = records.decoded(index, by: pass.decoder)
            decoded.record = decoded.record?.with(system: system)
            let examples = try chunk.findings.examples(of: decoded, at: raw.place.description, builder)
            chunk.examples += examples
            chunk.origins += examples.map { _ in records.start + index }
            guard builder.keepsTextsWhole else { continue }
            let isText = if case .text? = decoded.record?.content { true } else { false }
            chunk.isDocument += examples.map { _ in isText }
        }
        return chunk
    }

    /// What the first chunk found of members is checked again in every other chunk, with so many records.
    private static let laterTrials = 2
}
