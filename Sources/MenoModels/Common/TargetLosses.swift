package import MenoTensor

/// The loss of each target of a pass, for objectives that combine them.
package struct TargetLosses {
    /// −log p(target), in nats, `[targets]` in float32; differentiable where gradients are on.
    package let terms: Tensor
    /// Whether each target was the most probable token.
    package let isCorrect: [Bool]
}

extension Decoder {
    /// The loss of each label of a pass, for objectives that weigh and combine them.
    ///
    /// ``loss(inputIDs:labels:layout:labelSmoothing:)`` is cheaper for objectives that only add them up.
    /// - Parameters: as for that function.
    /// - Returns: the losses, in the order of the predictions; `nil` where nothing is predicted.
    package func targetLosses(
        inputIDs: [Int32], labels: [Int32], layout: SequenceLayout
    ) throws -> (losses: TargetLosses, predictions: [SequenceLayout.Prediction])? {
        precondition(labels.count == inputIDs.count)
        let predictions = layout.predictions(of: labels)
        guard !predictions.isEmpty else { return nil }
        let states = try hiddenStates(inputIDs: inputIDs, layout: layout)
        let distinct = DistinctPredictions(predictions, labels: labels, layout: layout)
        let rows = try states.indexed(by: Tensor(distinct.states, device: device), along: 0)
        let losses = try head.targetLosses(rows, targets: distinct.targets)
        guard distinct.states.count < predictions.count else { return (losses, predictions) }
        let places = try Tensor(distinct.rows.map(Int64.init), device: device)
        return (
            TargetLosses(
                terms: try losses.terms.indexed(by: places, along: 0),
                isCorrect: distinct.rows.map { losses.isCorrect[$0] }), predictions
        )
    }
}
