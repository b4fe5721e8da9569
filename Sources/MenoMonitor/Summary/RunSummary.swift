package import MenoMetrics

/// The content of `training_summary.json`: what there is to say about a run at its end, or about what there is of it so far.
/// Keys of what was not measured are absent.
package struct RunSummary: Sendable, Hashable, Codable {
    /// `nil` of a run that goes on, or whose end was not recorded.
    package var status: RunOutcome.Reason?
    /// Why it ended so.
    package var message: String?
    package var steps: Int
    package var skippedSteps: Int
    package var durationSeconds: Double
    /// The last point of each series, in nats.
    package var finalTrainLoss: Double?
    package var finalEvaluationLoss: Double?
    package var finalPerplexity: Double?
    /// The step that the run itself calls its best; else the one with the lowest evaluation loss.
    package var bestStep: Int?
    /// The evaluation loss of ``bestStep``, in nats.
    package var bestEvaluationLoss: Double?
    package var stableCheckpoints: StableCheckpointsSummary
    /// Saves of stable checkpoints that failed since one succeeded.
    package var consecutiveCheckpointErrors: Int
    package var alerts: [Alert]
    package var peakMemoryMiB: Double?
    /// Accelerator by accelerator.
    package var peakGPUMemoryMiB: [Double]
    /// Trained on, without padding.
    package var tokens: Double
    /// Of training alone.
    package var tokensPerSecond: Double?
    /// The share of the run's time that probe questions took, 0…1.
    package var probeShare: Double?
    /// Time that observers took of the run's last process, and the share of its time, 0…1.
    package var observerSeconds: Double?
    package var observerShare: Double?

    package init(_ monitor: Monitor) {
        let (history, totals) = (monitor.history, monitor.totals)
        status = totals.outcome?.reason
        message = totals.outcome?.message
        steps = totals.steps
        skippedSteps = totals.skippedSteps
        durationSeconds = totals.seconds
        finalTrainLoss = history.trainLoss.last?.value
        finalEvaluationLoss = history.evaluationLoss.last?.value
        finalPerplexity = history.perplexity.last?.value
        let evaluations = history.evaluationLoss.points
        let lowest = evaluations.min { $0.value < $1.value }
        bestStep = totals.outcome?.bestStep ?? lowest?.step
        bestEvaluationLoss = evaluations.last { [bestStep] in $0.step == bestStep }?.value
        stableCheckpoints = StableCheckpointsSummary(monitor.policy.checkpoints)
        consecutiveCheckpointErrors = monitor.policy.consecutiveErrors
        alerts = monitor.alerts
        peakMemoryMiB = totals.peakResident.map { Double($0) / 1_048_576 }
        peakGPUMemoryMiB = totals.peakAllocated.sorted { $0.key < $1.key }.map { Double($0.value) / 1_048_576 }
        tokens = totals.tokens
        tokensPerSecond = totals.tokensPerSecond
        probeShare = totals.probeShare
        observerSeconds = totals.outcome?.observerSeconds
        observerShare = totals.observerShare
    }

    private enum CodingKeys: String, CodingKey {
        case status, message, steps, alerts, tokens
        case skippedSteps = "skipped_steps"
        case durationSeconds = "duration_seconds"
        case finalTrainLoss = "final_train_loss"
        case finalEvaluationLoss = "final_eval_loss"
        case finalPerplexity = "final_perplexity"
        case bestStep = "best_step"
        case bestEvaluationLoss = "best_eval_loss"
        case stableCheckpoints = "stable_checkpoints"
        case consecutiveCheckpointErrors = "consecutive_checkpoint_errors"
        case peakMemoryMiB = "peak_memory_mib"
        case peakGPUMemoryMiB = "peak_gpu_memory_mib"
        case tokensPerSecond = "tokens_per_second"
        case probeShare = "probe_share"
        case observerSeconds = "observer_seconds"
        case observerShare = "observer_share"
    }
}
