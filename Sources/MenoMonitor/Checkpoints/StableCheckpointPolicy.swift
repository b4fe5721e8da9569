/// Which states of a run are kept as stable checkpoints, and which of them go when there are too many.
///
/// After an evaluation the state is saved when the basic conditions are met (as many evaluations as the window takes,
/// steps since the last one, mean perplexity, standard deviation of the evaluation loss, mean gradient norm) or training
/// and evaluation are in balance; unless too many saves failed in a row, or it would be the worst of a full set.
///
/// Source: `_should_save_checkpoint`, `_safe_save_checkpoint` and `on_evaluate` of the reference notebook, section 4.4, which
/// has the thresholds but neither the basic conditions (its base class has no such method), nor the limits applied.
package struct StableCheckpointPolicy: Sendable, Hashable, Codable {
    /// A save that was asked for, until it is told how it went.
    private struct Request: Sendable, Hashable, Codable {
        var step: Int
        var metrics: StabilityMetrics
        var evaluationLoss: Double
    }

    /// Those on disk, oldest first.
    package private(set) var checkpoints: [StableCheckpoint] = []
    /// The step of the last one that was saved; 0 before the first.
    package private(set) var lastCheckpointStep = 0
    /// Saves that failed since one succeeded.
    package private(set) var consecutiveErrors = 0
    private var request: Request?

    package init() {}

    /// Decides after an evaluation. Where it decides to save, it expects to hear of the outcome.
    /// - Parameter evaluationLoss: of the evaluation just made.
    mutating func judge(
        step: Int, evaluationLoss: Double, history: History, configuration: MonitorConfiguration
    ) -> StableCheckpointVerdict {
        request = nil
        var verdict = StableCheckpointVerdict(step: step, outcome: .tooFewEvaluations, conditions: [])
        verdict.balance = VarianceBiasMetrics(history, window: configuration.varianceBiasWindow)
            .map { BalancedState($0, configuration: configuration) }
        guard let stability = StabilityMetrics(history, windowSize: configuration.windowSize) else { return verdict }
        verdict.stability = stability
        verdict.conditions = conditions(step: step, stability, configuration)
        verdict.outcome = outcome(verdict, evaluationLoss: evaluationLoss, configuration)
        if verdict.outcome.saves {
            request = Request(step: step, metrics: stability, evaluationLoss: evaluationLoss)
        }
        return verdict
    }

    private func outcome(
        _ verdict: StableCheckpointVerdict, evaluationLoss: Double, _ configuration: MonitorConfiguration
    ) -> StableCheckpointVerdict.Outcome {
        let isStable = verdict.conditions.allSatisfy(\.isMet)
        guard isStable || verdict.balance?.isBalanced == true else { return .conditionsNotMet }
        guard consecutiveErrors < configuration.maxConsecutiveErrors else { return .tooManyErrors }
        // It would be saved only to be the first to go.
        let kept = checkpoints.filter { $0.step != verdict.step }
        let isFull = kept.count >= configuration.maxStableCheckpoints
        guard !isFull || kept.contains(where: { $0.evaluationLoss > evaluationLoss }) else { return .worseThanKept }
        return isStable ? .saveStable : .saveBalanced
    }

    private func conditions(
        step: Int, _ stability: StabilityMetrics, _ configuration: MonitorConfiguration
    ) -> [StableCheckpointVerdict.Condition] {
        let distance = step - lastCheckpointStep
        let bounds = configuration.gradientNormBounds
        return [
            .init(
                name: .stepsSinceLast, isMet: distance >= configuration.minStepsBetweenCheckpoints,
                value: Double(distance), allowed: "\(configuration.minStepsBetweenCheckpoints) or more"),
            .init(
                name: .perplexity, isMet: stability.perplexityMean < configuration.perplexityThreshold,
                value: stability.perplexityMean, allowed: "below \(configuration.perplexityThreshold)"),
            .init(
                name: .evaluationLossDeviation,
                isMet: stability.evaluationLossDeviation <= configuration.evaluationLossDeviationThreshold,
                value: stability.evaluationLossDeviation,
                allowed: "at most \(configuration.evaluationLossDeviationThreshold)"),
            .init(
                name: .gradientNorm, isMet: stability.gradientNormMean.map(bounds.contains) ?? false,
                value: stability.gradientNormMean, allowed: "from \(bounds.lowerBound) to \(bounds.upperBound)"),
        ]
    }

    /// Takes note of a stable checkpoint on disk, wanted by ``judge(step:evaluationLoss:history:configuration:)``.
    /// - Returns: those that must go, worst first; they are forgotten here, so that none is asked for twice.
    mutating func saved(step: Int, path: String, configuration: MonitorConfiguration) -> [StableCheckpoint] {
        guard let request, request.step == step else { return [] }
        self.request = nil
        consecutiveErrors = 0
        lastCheckpointStep = step
        // A run that is resumed from an earlier step saves the same step again.
        checkpoints.removeAll { $0.step == step || $0.path == path }
        checkpoints.append(
            StableCheckpoint(
                step: step, path: path, metrics: request.metrics, evaluationLoss: request.evaluationLoss))
        var removed: [StableCheckpoint] = []
        while checkpoints.count > configuration.maxStableCheckpoints, let index = worst {
            removed.append(checkpoints.remove(at: index))
        }
        return removed
    }

    /// The highest evaluation loss; of equals the oldest.
    private var worst: Int? {
        checkpoints.indices.max {
            (checkpoints[$0].evaluationLoss, -checkpoints[$0].step)
                < (checkpoints[$1].evaluationLoss, -checkpoints[$1].step)
        }
    }

    /// Counts a failed save of this step, once.
    /// - Returns: whether it was one, and the last that is tried.
    mutating func failed(step: Int, configuration: MonitorConfiguration) -> Bool {
        guard request?.step == step else { return false }
        request = nil
        consecutiveErrors += 1
        return consecutiveErrors == configuration.maxConsecutiveErrors
    }

    mutating func forget(path: String) { checkpoints.removeAll { $0.path == path } }

    /// Forgets checkpoints that are not on disk (any more), so that none that is missing is counted or removed.
    mutating func keepOnly(paths: Set<String>) { checkpoints.removeAll { !paths.contains($0.path) } }
}
