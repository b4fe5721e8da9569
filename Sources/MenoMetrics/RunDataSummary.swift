/// What a run was trained on, in numbers.
package struct RunDataSummary: Sendable, Hashable, Codable {
    /// How many tokens examples have.
    package struct Lengths: Sendable, Hashable, Codable {
        package var shortest: Int
        package var median: Int
        /// Nine tenths are not longer.
        package var ninetieth: Int
        package var longest: Int
        package var total: Int

        /// - Returns: `nil` where there is no example.
        package init?(_ lengths: [Int]) {
            let sorted = lengths.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            let at = { (share: Double) in sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
            (shortest, median, ninetieth, longest) = (first, at(0.5), at(0.9), last)
            total = sorted.reduce(0, +)
        }
    }

    /// The data file.
    package var path: String
    /// Records seen, used and left out, in a sentence.
    package var summary: String
    /// How dialogues were written.
    package var template: String?
    package var trainSamples: Int
    package var evaluationSamples: Int
    package var lengths: Lengths?
    /// Tokens that are learnt; `nil` where the examples do not lie in memory.
    package var labels: Int?
    /// The first of the records that were left out or cut, with the reason.
    package var problems: [String]
    package var remarks: [String]
    /// The first example, token by token.
    package var preview: String?

    package init(
        path: String, summary: String, template: String?, trainSamples: Int, evaluationSamples: Int, lengths: Lengths?,
        labels: Int?, problems: [String], remarks: [String], preview: String?
    ) {
        self.path = path
        self.summary = summary
        self.template = template
        self.trainSamples = trainSamples
        self.evaluationSamples = evaluationSamples
        self.lengths = lengths
        self.labels = labels
        self.problems = problems
        self.remarks = remarks
        self.preview = preview
    }
}
