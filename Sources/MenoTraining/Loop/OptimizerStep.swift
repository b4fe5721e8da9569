package import MenoMetrics
package import MenoModels
package import MenoTensor

/// What an optimizer step did.
package struct StepResult: Sendable, Hashable {
    /// Σ of the losses / Σ of what the objective counts, over all passes.
    package var loss: Double
    /// The norm of the gradient before it was clipped.
    package var gradientNorm: Double
    package var labelCount: Int
    /// Those of every example, whether or not they were computed once for several.
    package var tokenCount: Int
    /// What the objective measured beside its loss.
    package var objective: ObjectiveMetrics?
}

/// Accumulates the gradient of a batch over passes of any size, clips it and applies it.
///
/// The loss is normalized by the weight of the whole batch (its labels, for example), so how a batch is divided into passes
/// changes nothing but rounding.
package final class OptimizerStep {
    private let model: Decoder
    private let objective: any Objective
    /// Its state is saved with a checkpoint.
    var optimizer: any Optimizer
    private let parameters: [Tensor]
    private let agreement: Agreement
    private let maxGradientNorm: Double?

    /// - Parameter maxGradientNorm: larger gradients are scaled down to this norm; `nil`: never.
    /// - Throws: ``TrainingError`` when the model has no trained parameter.
    package init(
        model: Decoder, objective: any Objective = SupervisedObjective(), options: OptimizerOptions,
        maxGradientNorm: Double? = 1, processes: ProcessGroup = ProcessGroup()
    ) throws {
        let trained = model.trainedParameters
        guard !trained.isEmpty else {
            throw TrainingError(
                .nothingToTrain, "the model has no trained parameter.", advice: "Attach an adapter first.")
        }
        self.model = model
        self.objective = objective
        self.maxGradientNorm = maxGradientNorm
        agreement = Agreement(processes)
        parameters = trained.map(\.tensor)
        optimizer = try options.optimizer(of: trained.map { ($0.name, $0.tensor) })
    }

    /// Makes one step. Nothing is applied in any process unless all could compute their passes.
    /// - Throws: ``TrainingError`` with `notFinite`, or `TorchError`: the parameters, the optimizer's state and the next step
    ///   are then as if this one had not been tried. ``TrainingError`` with `updateFailed`: they are not.
    package func run(_ passes: [Pass], learningRate: Double) throws -> StepResult {
        defer { for parameter in parameters { try? parameter.setGradient(nil) } }
        let (loss, metrics) = try agreement.together { try accumulate(passes) }
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
                advice: "Resume from the last checkpoint.", settings: [.resumption])
        }
        let learnt = passes.filter(\.isLearnt)
        return StepResult(
            loss: loss, gradientNorm: norm,
            labelCount: learnt.reduce(0) { $0 + $1.labelCount },
            tokenCount: learnt.reduce(0) { $0 + $1.layout.sequenceTokenCount }, objective: metrics)
    }

    /// Adds up the gradients of all passes.
    /// - Returns: the loss of the step.
    private func accumulate(_ passes: [Pass]) throws -> (loss: Double, metrics: ObjectiveMetrics?) {
        let totals = try objective.totals(of: passes, by: model)
        let weight = totals.weight
        guard weight > 0 else {
            throw TrainingError(.nothingToTrain, "no token of the batch carries loss.")
        }
        model.beginStep(passes.map(\.layout))
        var total = 0.0
        var tallies = Tallies()
        for (index, pass) in passes.enumerated() {
            let loss = try objective.loss(of: pass, in: totals, by: model)
            guard loss.value.isFinite else {
                throw notFinite("the loss of pass \(index + 1) of \(passes.count) is \(loss.value).")
            }
            // That of routers is not divided by what the objective counts, as in transformers.
            total += loss.value + model.routerLoss * Double(weight)
            tallies.add(loss.tallies)
            try loss.sum.map { try $0 / Double(weight) }?.backward()
        }
        return (total / Double(weight), objective.metrics(tallies))
    }

    private func notFinite(_ message: String) -> TrainingError {
        TrainingError(
            .notFinite, message, advice: "Nothing was applied. Lower the learning rate, or look at the batch.")
    }
}
