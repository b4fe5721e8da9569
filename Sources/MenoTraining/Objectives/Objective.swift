package import MenoData
package import MenoModels
package import MenoTensor

/// What a run minimizes: what a pass of examples costs, and what its losses are divided by.
///
/// The model gives the loss of each target (``MenoModels/TokenLosses``); an objective combines them. Optimizer steps,
/// evaluations and the memory probe call the objective and know nothing else of losses.
package protocol Objective {
    /// What a pass adds to the divisor of a step's loss: labels, for a loss that is a mean over tokens; pairs, for one that is
    /// a mean over pairs. A step's loss is Σ ``PassLoss/value`` / Σ weight over all of its passes, so how a step is divided
    /// into passes changes nothing but rounding.
    func weight(of pass: Pass) -> Int

    /// What a pass costs, to be minimized.
    /// - Throws: `TorchError`, or `ModelError` for a token that the model does not have.
    func loss(of pass: Pass, by model: Decoder) throws -> PassLoss

    /// What a pass costs in an evaluation, without gradients and without what regularizes training.
    /// - Parameter examples: all that are evaluated; ``PassPlan/Part/examples`` are positions among them.
    /// - Returns: a row for each example of the pass.
    func evaluate(_ part: PassPlan.Part, of examples: [Example], by model: Decoder) throws -> [Evaluation.Row]
}

/// What a pass costs.
package struct PassLoss {
    /// Σ over what ``Objective/weight(of:)`` counts, a scalar in float32 that can be differentiated; `nil` where nothing in the
    /// pass carries loss.
    package let sum: Tensor?
    /// The same number, added up in float64.
    package let value: Double

    package init(sum: Tensor?, value: Double) {
        self.sum = sum
        self.value = value
    }
}
