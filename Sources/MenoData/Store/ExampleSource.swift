/// Examples that are reached by their number, wherever they lie: in memory, or prepared on the disk.
///
/// What a run decides from all of its examples (split, lengths, what is equal) is known without reading them.
package protocol ExampleSource: Sendable {
    var count: Int { get }
    /// - Throws: ``DataError`` where it cannot be read any more.
    func example(at position: Int) throws -> Example
    /// Several at once, in the order of their positions in the list.
    func examples(at positions: [Int]) throws -> [Example]
    func lengths(at position: Int) -> ExampleLengths
    /// What the record was taken from.
    func source(at position: Int) -> String?
    /// Whether all examples are there already; where they are not, lengths are the most that they may be, and hashes those of
    /// their records.
    var hasTokens: Bool { get }
    /// Equal for equal examples, wherever the records came from; see ``Example/contentHash``.
    func contentHash(at position: Int) -> UInt64
}

/// Tokens of an example.
package struct ExampleLengths: Sendable, Hashable {
    package var ids: Int
    /// Of the rejected side of a pair.
    package var rejected = 0

    package init(ids: Int, rejected: Int = 0) {
        self.ids = ids
        self.rejected = rejected
    }

    /// Of all sequences.
    package var total: Int { ids + rejected }
    /// Of the longest sequence.
    package var longest: Int { max(ids, rejected) }
}

extension ExampleSource {
    package var hasTokens: Bool { true }

    /// Tokens of the example with the most, over all of its sequences.
    package var largestExample: Int { (0..<count).reduce(0) { max($0, lengths(at: $1).total) } }

    /// Tokens of the longest sequence.
    package var longestSequence: Int { (0..<count).reduce(0) { max($0, lengths(at: $1).longest) } }

    package func examples(at positions: [Int]) throws -> [Example] { try positions.map { try example(at: $0) } }

    /// The first ones.
    package func beginning(_ count: Int) throws -> [Example] { try examples(at: Array(0..<min(count, self.count))) }

    /// How many are equal to an earlier one.
    package var repeatedCount: Int {
        var hashes = (0..<count).map { contentHash(at: $0) }
        hashes.sort()
        return zip(hashes, hashes.dropFirst()).count { $0 == $1 }
    }
}

extension [Example]: ExampleSource {
    package func example(at position: Int) -> Example { self[position] }

    package func lengths(at position: Int) -> ExampleLengths {
        ExampleLengths(ids: self[position].ids.count, rejected: self[position].preference?.rejected?.count ?? 0)
    }

    package func source(at position: Int) -> String? { self[position].source }
    package func contentHash(at position: Int) -> UInt64 { self[position].contentHash }
}

/// Some examples of a source, in an order of their own.
package struct ExampleSelection: ExampleSource {
    private let source: any ExampleSource
    private let positions: [UInt32]

    /// - Parameter positions: in `source`.
    package init(_ source: any ExampleSource, _ positions: [Int]) {
        self.source = source
        self.positions = positions.map { UInt32($0) }
    }

    package var count: Int { positions.count }
    package var hasTokens: Bool { source.hasTokens }
    package func example(at position: Int) throws -> Example { try source.example(at: Int(positions[position])) }
    package func examples(at chosen: [Int]) throws -> [Example] {
        try source.examples(at: chosen.map { Int(positions[$0]) })
    }
    package func lengths(at position: Int) -> ExampleLengths { source.lengths(at: Int(positions[position])) }
    package func source(at position: Int) -> String? { source.source(at: Int(positions[position])) }
    package func contentHash(at position: Int) -> UInt64 { source.contentHash(at: Int(positions[position])) }
}

extension ExampleSource {
    /// Some of the examples, in an order of their own; those in memory stay an array.
    package func selection(_ positions: [Int]) -> any ExampleSource {
        if let examples = self as? [Example] { return positions.map { examples[$0] } }
        return ExampleSelection(self, positions)
    }
}
