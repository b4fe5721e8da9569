/// A numeric summary of a run's training data.
package struct RunDataSummary: Sendable, Hashable, Codable {
    /// The distribution of the examples' lengths in tokens.
    package struct Lengths: Sendable, Hashable, Codable {
        package var shortest: Int
        package var median: Int
        /// The 90th percentile.
        package var ninetieth: Int
        package var longest: Int
        package var total: Int

        /// - Returns: `nil` if there are no examples.
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
    /// A sentence with the number of records read, used and skipped.
    package var summary: String
    /// How dialogues were formatted.
    package var template: String?
    package var trainSamples: Int
    package var evaluationSamples: Int
    package var lengths: Lengths?
    /// The number of tokens that carry loss; `nil` if the examples are not in memory.
    package var labels: Int?
    /// The first records that were skipped or truncated, with the reasons.
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
