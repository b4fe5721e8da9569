internal import MenoTensor

/// How sequences lie end to end in a packed batch: `[tokens, …]` instead of `[batch, length, …]`.
///
/// Positions begin anew in every sequence and no token attends to another sequence's, so packing changes no
/// result. A rectangular batch, padded on the right, is the case of equal lengths.
public struct SequenceLayout: Sendable, Hashable {
    /// The number of tokens of each sequence.
    public var lengths: [Int]

    public init(lengths: [Int]) {
        precondition(lengths.allSatisfy { $0 > 0 }, "every sequence has a token")
        self.lengths = lengths
    }

    /// Tokens in all.
    public var tokenCount: Int { lengths.reduce(0, +) }

    /// The position of each token in its sequence, `[tokens]`.
    public var positions: [Int64] { lengths.flatMap { (0..<Int64($0)) } }

    /// The length of every sequence, where they are all equal.
    var uniformLength: Int? { Set(lengths).count == 1 ? lengths.first : nil }
}
