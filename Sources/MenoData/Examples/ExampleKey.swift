internal import MenoTokenizers

extension Example {
    /// What makes examples equal: tokens and labels, wherever the record came from.
    package struct Key: Sendable, Hashable {
        let ids: [TokenID]
        let labels: [TokenID]
        let rejected: [TokenID]?
        let isDesirable: Bool
    }

    package var key: Key {
        Key(
            ids: ids, labels: labels, rejected: preference?.rejected, isDesirable: preference?.isDesirable ?? true)
    }
}
