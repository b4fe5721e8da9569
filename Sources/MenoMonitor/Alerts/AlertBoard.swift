internal import MenoMetrics

/// Every detector of trouble in the numbers of a run.
struct AlertBoard: Sendable, Hashable, Codable {
    private var notFinite = NotFiniteDetector()
    private var lossLevel = LossLevelDetector()
    private var plateau = PlateauDetector()
    private var overfitting = OverfittingDetector()
    private var frequencies = FrequencyDetector()
    private var gradientNorm = GradientNormDetector()
    private var learningRate = LearningRateDetector()
    private var throughput = ThroughputDetector()
    private var memory = MemoryDetector(accelerator: nil)
    private var acceleratorMemory: [Int: MemoryDetector] = [:]
    /// `nil` until an objective measures what they look at: states of other runs stay as they were.
    private var preferences: PreferenceDetectors?

    init() {}

    /// What was measured of an earlier process says nothing of this one's speed and memory.
    mutating func startProcess() {
        throughput.startProcess()
        memory.startProcess()
        for index in acceleratorMemory.keys { acceleratorMemory[index]?.startProcess() }
    }

    /// - Parameter labelEntropy: of the labels that are trained on, in nats; `nil` where it is not known.
    mutating func observe(
        _ metrics: StepMetrics, totalSteps: Int, labelEntropy: Double?, configuration: MonitorConfiguration
    ) -> [AlertChange] {
        let thresholds = configuration.alerts
        let step = metrics.step
        guard metrics.loss.isMeasured else {
            return observeSkipped(step: step, reason: "the loss is \(metrics.loss).", records: [])
        }
        var changes = [notFinite.observe(nil, step: step)]
        changes += lossLevel.observe(metrics.loss, step: step, thresholds: thresholds)
        overfitting.observe(metrics)
        changes.append(
            plateau.observe(
                metrics, totalSteps: totalSteps, isJudged: !lossLevel.hasDiverged && !overfitting.isOpen,
                thresholds: thresholds))
        changes.append(
            frequencies.observe(
                metrics, totalSteps: totalSteps, labelEntropy: labelEntropy, isJudged: !lossLevel.hasDiverged,
                thresholds: thresholds))
        if metrics.gradientNorm.isMeasured {
            changes.append(gradientNorm.observe(metrics.gradientNorm, step: step, configuration: configuration))
        }
        if metrics.learningRate.isMeasured, totalSteps > 0 {
            changes.append(
                learningRate.observe(
                    metrics.learningRate, step: step, totalSteps: totalSteps, thresholds: thresholds))
        }
        if metrics.tokens > 0, metrics.seconds > 0, metrics.tokensPerSecond.isMeasured {
            changes.append(throughput.observe(metrics.tokensPerSecond, step: step, thresholds: thresholds))
        }
        return changes.compactMap { $0 } + observePreferences(metrics, totalSteps: totalSteps, thresholds)
    }

    private mutating func observePreferences(
        _ metrics: StepMetrics, totalSteps: Int, _ thresholds: AlertThresholds
    ) -> [AlertChange] {
        guard metrics.objective != nil else { return [] }
        var detectors = preferences ?? PreferenceDetectors()
        defer { preferences = detectors }
        return detectors.observe(metrics, totalSteps: totalSteps, thresholds: thresholds)
    }

    mutating func observe(_ metrics: EvaluationMetrics, totalSteps: Int, configuration: MonitorConfiguration)
        -> [AlertChange]
    {
        guard metrics.loss.isMeasured else {
            return observeSkipped(step: metrics.step, reason: "the evaluation loss is \(metrics.loss).", records: [])
        }
        let change = overfitting.observe(metrics, configuration: configuration)
        let flat = plateau.observe(
            metrics, totalSteps: totalSteps, isJudged: !lossLevel.hasDiverged && !overfitting.isOpen,
            thresholds: configuration.alerts)
        guard metrics.objective != nil else { return [change, flat].compactMap { $0 } }
        var detectors = preferences ?? PreferenceDetectors()
        defer { preferences = detectors }
        return [change, flat, detectors.observe(metrics, thresholds: configuration.alerts)].compactMap { $0 }
    }

    mutating func observe(_ usage: ResourceUsage, totalSteps: Int, thresholds: AlertThresholds) -> [AlertChange] {
        var changes = [
            memory.observe(bytes: usage.resident, step: usage.step, totalSteps: totalSteps, thresholds: thresholds)
        ]
        for accelerator in usage.accelerators {
            var detector = acceleratorMemory[accelerator.index] ?? MemoryDetector(accelerator: accelerator.index)
            changes.append(
                detector.observe(
                    bytes: accelerator.allocated, step: usage.step, totalSteps: totalSteps, thresholds: thresholds))
            acceleratorMemory[accelerator.index] = detector
        }
        return changes.compactMap { $0 }
    }

    mutating func observeSkipped(step: Int, reason: String, records: [String]) -> [AlertChange] {
        [notFinite.observe(.init(reason: reason, records: records), step: step)].compactMap { $0 }
    }
}
