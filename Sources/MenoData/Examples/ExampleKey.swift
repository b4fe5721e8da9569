internal import MenoTokenizers

extension Example {
    /// What makes examples equal: tokens and labels, wherever the record came from.
    package struct Key: Sendable, Hashable {
        let ids: [TokenID]
        let labels: [TokenID]
    }

    package var key: Key { Key(ids: ids, labels: labels) }
}
