public import MenoTokenizers

/// Examples as rows of one rectangle, padded on the right, as Hugging Face's collator lays them.
public struct PaddedBatch: Sendable, Hashable {
    /// `[rows × length]`.
    public var ids: [TokenID]
    /// `[rows × length]`; ``Example/ignoredLabel`` in the padding, which is known by its place, never by its token.
    public var labels: [TokenID]
    public var rows: Int
    public var length: Int

    /// - Parameter multiple: the length is rounded up to a multiple of this.
    public init(_ examples: [Example], padID: TokenID, multiple: Int = 8) {
        precondition(multiple > 0)
        let longest = examples.map(\.ids.count).max() ?? 0
        rows = examples.count
        length = (longest + multiple - 1) / multiple * multiple
        ids = []
        labels = []
        for example in examples {
            let padding = length - example.ids.count
            ids += example.ids + Array(repeating: padID, count: padding)
            labels += example.labels + Array(repeating: Example.ignoredLabel, count: padding)
        }
    }
}
