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

        package init(shortest: Int, median: Int, ninetieth: Int, longest: Int, total: Int) {
            (self.shortest, self.median, self.ninetieth) = (shortest, median, ninetieth)
            (self.longest, self.total) = (longest, total)
        }

        /// - Returns: `nil` where there is no example.
        package init?(_ lengths: [Int]) {
            let sorted = lengths.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            let at = { (share: Double) in sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
            (shortest, median, ninetieth, longest) = (first, at(0.5), at(0.9), last)
            total = sorted.reduce(0, +)
        }
    }

    /// Of how many records something holds.
    package struct Share: Sendable, Hashable, Codable {
        package var name: String
        package var records: Int

        package init(name: String, records: Int) {
            self.name = name
            self.records = records
        }
    }

    /// What the records are like, as `meno inspect` shows it.
    package struct Records: Sendable, Hashable, Codable {
        /// The most frequent first.
        package var shapes: [Share]
        package var languages: [Share]
        package var sources: [Share]
        /// How many sources there are.
        package var sourceCount: Int
        /// Records that have a chosen and a rejected side.
        package var pairs: Int
        /// Records that repeat an earlier one, ignoring white space.
        package var duplicates: Int

        package init(
            shapes: [Share], languages: [Share], sources: [Share], sourceCount: Int, pairs: Int, duplicates: Int
        ) {
            (self.shapes, self.languages, self.sources) = (shapes, languages, sources)
            (self.sourceCount, self.pairs, self.duplicates) = (sourceCount, pairs, duplicates)
        }
    }

    /// The data file.
    package var path: String
    /// A sentence with the number of records read, used and skipped.
    package var summary: String
    /// `nil` in runs that recorded none.
    package var records: Records?
    /// How dialogues were written.
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
        path: String, summary: String, records: Records?, template: String?, trainSamples: Int, evaluationSamples: Int,
        lengths: Lengths?, labels: Int?, problems: [String], remarks: [String], preview: String?
    ) {
        self.path = path
        self.summary = summary
        self.records = records
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
