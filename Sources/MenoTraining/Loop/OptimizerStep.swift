public import MenoModels
internal import MenoTensor

/// What an optimizer step did.
public struct StepResult: Sendable, Hashable {
    /// Σ of the losses / number of labels, over all passes, in nats.
    public var loss: Double
    /// The norm of the gradient before it was clipped.
    public var gradientNorm: Double
    public var labelCount: Int
    /// Those of every example, whether or not they were computed once for several.
    public var tokenCount: Int
}

/// Accumulates the gradient of a batch over passes of any size, clips it and applies it.
///
/// The loss is normalised by the labels of the whole batch, so how a batch is divided into passes changes nothing but
/// rounding.
public final class OptimizerStep {
    private let model: Decoder
    /// Its state is saved with a checkpoint.
    var optimizer: any Optimizer
    private let parameters: [Tensor]
    private let maxGradientNorm: Double?
    private let labelSmoothing: Double

    /// - Parameters:
    ///   - maxGradientNorm: larger gradients are scaled down to this norm; `nil`: never.
    ///   - labelSmoothing: the share of each target's probability that is spread evenly over the vocabulary.
    /// - Throws: ``TrainingError`` when the model has no trained parameter.
    public init(
        model: Decoder, options: OptimizerOptions, maxGradientNorm: Double? = 1, labelSmoothing: Double = 0
    ) throws {
        let trained = model.trainedParameters
        guard !trained.isEmpty else {
            throw TrainingError(
                .nothingToTrain, "the model has no trained parameter.", advice: "Attach an adapter first.")
        }
        self.model = model
        self.maxGradientNorm = maxGradientNorm
        parameters = trained.map(\.tensor)
        self.labelSmoothing = labelSmoothing
        optimizer = try options.optimizer(of: trained.map { ($0.name, $0.tensor) })
    }

    /// Makes one step.
    /// - Throws: ``TrainingError`` with `notFinite`, or ``TorchError``: the parameters, the optimizer's state and the next step
    ///   are then as if this one had not been tried. ``TrainingError`` with `updateFailed`: they are not.
    public func run(_ passes: [Pass], learningRate: Double) throws -> StepResult {
        defer { for parameter in parameters { try? parameter.setGradient(nil) } }
        let labelCount = passes.reduce(0) { $0 + $1.labelCount }
        guard labelCount > 0 else {
            throw TrainingError(.nothingToTrain, "no token of the batch carries loss.")
        }
        var total = 0.0
        for (index, pass) in passes.enumerated() {
            let losses = try model.loss(
                inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout, labelSmoothing: labelSmoothing
            ).losses
            let sum = losses.values.reduce(0.0) { $0 + Double($1) }
            guard sum.isFinite else { throw notFinite("the loss of pass \(index + 1) of \(passes.count) is \(sum).") }
            total += sum
            if !losses.values.isEmpty { try (losses.sum / Double(labelCount)).backward() }
        }
        let gradients = try parameters.compactMap { try $0.gradient() }
        let norm = try Gradients.norm(gradients)
        guard norm.isFinite else { throw notFinite("the norm of the gradient is \(norm).") }
        if let maxGradientNorm { try Gradients.clip(gradients, norm: norm, maximum: maxGradientNorm) }
        do {
            try optimizer.step(learningRate: learningRate)
        } catch {
            throw TrainingError(
                .updateFailed,
                "the optimizer's update broke off, with some parameters changed and others not: \(error)",
                advice: "Go on from the last checkpoint with --resume auto.")
        }
        return StepResult(
            loss: total / Double(labelCount), gradientNorm: norm, labelCount: labelCount,
            tokenCount: passes.reduce(0) { $0 + $1.layout.sequenceTokenCount })
    }

    private func notFinite(_ message: String) -> TrainingError {
        TrainingError(
            .notFinite, message, advice: "Nothing was applied. Lower the learning rate, or look at the batch.")
    }
}
