public import MenoTokenizers

extension Example {
    /// What makes examples equal: tokens and labels, wherever the record came from.
    public struct Key: Sendable, Hashable {
        let ids: [TokenID]
        let labels: [TokenID]
    }

    public var key: Key { Key(ids: ids, labels: labels) }
}
