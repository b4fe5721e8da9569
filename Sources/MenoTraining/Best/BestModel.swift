internal import MenoMetrics

/// The best evaluation so far of weights that are on disk, and how long ago there was an improvement.
struct BestModel: Codable, Hashable {
    private(set) var step: Int?
    private(set) var value: Double?
    /// The checkpoint of ``step``, where it is not among those of the run: it was resumed from another run's.
    private(set) var folder: String?
    /// Evaluations since the last one that was better by more than the threshold.
    private(set) var evaluationsWithoutImprovement = 0
    /// The best value of any evaluation, whether or not its weights were kept: improvement is judged by it. Older checkpoints
    /// do not tell it.
    private(set) var progress: Double?
    /// What the values are ones of. Older checkpoints do not tell it.
    private(set) var metric: ModelMetric?
    /// Only evaluations of later steps compete: those up to this one were of other examples.
    private(set) var since: Int?

    init(since: Int? = nil) { self.since = since }

    /// - Parameter isKept: whether the weights of this evaluation are, or will be, on disk.
    mutating func offer(_ metrics: EvaluationMetrics, _ metric: ModelMetric, threshold: Double, isKept: Bool) {
        guard let value = metric.value(metrics) else { return }
        offer(value, ofStep: metrics.step, metric, threshold: threshold, isKept: isKept)
    }

    private mutating func offer(
        _ offered: Double, ofStep step: Int, _ metric: ModelMetric, threshold: Double, isKept: Bool
    ) {
        self.metric = metric
        let reference = progress ?? value
        let improves = metric.isBetter(offered, than: reference, by: threshold)
        evaluationsWithoutImprovement = improves ? 0 : evaluationsWithoutImprovement + 1
        progress = metric.isBetter(offered, than: reference) ? offered : reference
        guard isKept, metric.isBetter(offered, than: value) else { return }
        (self.step, value, folder) = (step, offered, nil)
    }

    /// Whether an evaluation of a step may be the best: of the trained model, and of the same examples as those to come.
    func competes(_ step: Int) -> Bool { step > (since ?? 0) }

    /// The best of the log's evaluations whose weights are on disk. What counts as an improvement stays.
    /// - Parameter checkpoint: where the weights of a step are; `nil`: nowhere.
    mutating func choose(
        among evaluations: [TrainerState.LogEntry], _ metric: ModelMetric, checkpoint: (Int) -> Kept?
    ) {
        (step, value, folder) = (nil, nil, nil)
        for entry in evaluations where competes(entry.step) {
            guard let offered = metric.value(entry), metric.isBetter(offered, than: value),
                let kept = checkpoint(entry.step)
            else { continue }
            (step, value) = (entry.step, offered)
            lies(kept)
        }
    }

    /// Remembers where the weights of the best are.
    mutating func lies(_ place: Kept) { folder = if case .elsewhere(let path) = place { path } else { nil } }

    /// Where weights are.
    enum Kept: Hashable {
        /// In memory, or among the run's own checkpoints.
        case here
        case elsewhere(String)
    }

    /// Judged by a metric that may be another than before: values of two cannot be compared, so that improvement is counted
    /// again from the log. The best is still to be chosen.
    func judged(by metric: ModelMetric, threshold: Double, evaluations: [TrainerState.LogEntry]) -> BestModel {
        guard let before = self.metric, before != metric else { return self }
        var best = BestModel(since: since)
        for entry in evaluations where competes(entry.step) {
            guard let value = metric.value(entry) else { continue }
            best.offer(value, ofStep: entry.step, metric, threshold: threshold, isKept: true)
        }
        return best
    }
}
