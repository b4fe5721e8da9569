/// Examples with what the reference model gives their completions.
package struct ScoredExamples: ExampleSource {
    private let examples: any ExampleSource
    private let scores: [ReferenceScores]

    /// - Parameter scores: one for each example.
    package init(_ examples: any ExampleSource, _ scores: [ReferenceScores]) {
        precondition(examples.count == scores.count)
        (self.examples, self.scores) = (examples, scores)
    }

    package var count: Int { examples.count }
    package var hasTokens: Bool { examples.hasTokens }
    package func lengths(at position: Int) -> ExampleLengths { examples.lengths(at: position) }
    package func source(at position: Int) -> String? { examples.source(at: position) }
    package func contentHash(at position: Int) -> UInt64 { examples.contentHash(at: position) }

    package func example(at position: Int) throws -> Example {
        var example = try examples.example(at: position)
        example.preference?.reference = scores[position]
        return example
    }
}
