internal import MenoTraining

extension RunConfiguration {
    /// This configuration, where it can be trained.
    /// - Parameter name: what it is called in errors.
    /// - Throws: ``ConfigurationError`` of what is missing, or of values that contradict each other.
    package func validated(_ name: String) throws -> RunConfiguration {
        let path = data.sources.isEmpty ? data.path : "sources"
        for (key, value) in [("model.name_or_path", model.nameOrPath), ("data.path", path)] where value.isEmpty {
            throw ConfigurationError(
                .invalid, at: name, "has no `\(key)`.", advice: "Write it, or give --set \(key)=….")
        }
        if !data.sources.isEmpty, !data.path.isEmpty {
            throw ConfigurationError(
                .invalid, at: name, "has both `data.path` and `data.sources`.", advice: "Leave one of them out.")
        }
        let holdsNothingOut = data.trainFraction == 1 && data.evaluationPaths.isEmpty
        if training.evaluationStrategy != .no, holdsNothingOut || data.maxEvaluationSamples == 0 {
            throw ConfigurationError(
                .invalid, at: name,
                "`training.eval_strategy: \(training.evaluationStrategy.rawValue)` asks for evaluations, but "
                    + "`data.train_fraction` or `data.max_eval_samples` leaves nothing to evaluate on.",
                advice: "Set `training.eval_strategy: no`, or hold examples out.")
        }
        if data.textBlocks, data.blockOverlap >= data.maxLength {
            throw ConfigurationError(
                .invalid, at: name,
                "`data.block_overlap: \(data.blockOverlap)` leaves a block of `data.max_length: \(data.maxLength)` no "
                    + "token of its own.", advice: "Set a smaller overlap.")
        }
        try checkContradictions(name)
        return self
    }

    /// Pairs of keys that cannot both hold.
    private func checkContradictions(_ name: String) throws {
        if computesInFloat16 {
            throw ConfigurationError(
                .invalid, at: name, "`training.fp16: true` is not honoured: float16 needs its losses scaled.",
                advice: "Use `training.bf16: true`, or `model.dtype: float32`.")
        }
        if usesNoCUDA, model.device == .cuda || model.device == .mps {
            throw ConfigurationError(
                .invalid, at: name, "`training.no_cuda: true` contradicts `model.device: \(model.device.rawValue)`.",
                advice: "Leave one of them out.")
        }
        if model.dtype == .float16 {
            throw ConfigurationError(
                .invalid, at: name, "`model.dtype: float16` cannot be trained: float16 needs its losses scaled.",
                advice: "Use `bfloat16` or `float32`.")
        }
        if model.quantization != nil { try checkQuantization(name) }
        try checkComputeType(name)
        if let greaterIsBetter, greaterIsBetter != training.bestMetric.greaterIsBetter {
            throw ConfigurationError(
                .invalid, at: name,
                "`training.greater_is_better: \(greaterIsBetter)` contradicts `training.metric_for_best_model: "
                    + "\(training.bestMetric.rawValue)`, of which "
                    + (training.bestMetric.greaterIsBetter ? "greater" : "lower") + " values are better.",
                advice: "Leave greater_is_better out.")
        }
        if training.earlyStoppingPatience != nil, training.evaluationStrategy == .no {
            throw ConfigurationError(
                .invalid, at: name,
                "`training.early_stopping_patience` needs evaluations, which `training.eval_strategy: no` forbids.")
        }
        try checkObjective(name)
        try checkSchedule(name)
        try checkMonitor(name)
    }

    /// The keys of what an objective is made of.
    private static let objectiveKeys = [
        "beta": "beta", "lossTypes": "loss_type", "lossWeights": "loss_weights", "labelSmoothing": "label_smoothing",
    ]

    private func checkObjective(_ name: String) throws {
        let objective = training.objective
        do {
            try objective.validate()
        } catch let fault as ObjectiveOptions.Fault {
            let key = Self.objectiveKeys[fault.property] ?? fault.property
            throw ConfigurationError(.invalid, at: name, "`training.\(key)` \(fault.message)")
        }
        let isSupervised = objective.kind == .sft
        if isSupervised, training.bestMetric.isOfPreferences {
            throw ConfigurationError(
                .invalid, at: name,
                "`training.metric_for_best_model: \(training.bestMetric.rawValue)` is measured by objectives of preferences; "
                    + "`training.objective` is sft.")
        }
        if !isSupervised, training.labelSmoothing > 0 {
            throw ConfigurationError(
                .invalid, at: name,
                "`training.label_smoothing_factor` is of supervised fine-tuning; `training.objective` is "
                    + "\(objective.kind.rawValue).", advice: "Write `training.label_smoothing` for that of preferences."
            )
        }
        if objective.reference == .base, lora == nil {
            throw ConfigurationError(
                .invalid, at: name,
                "`training.reference: base` is the model without its adapter, and `lora: null` has none.",
                advice: "Write `reference: initial`, or name a model.")
        }
    }

    private func checkQuantization(_ name: String) throws {
        if model.loadsInFourBits, model.loadsInEightBits {
            throw ConfigurationError(
                .invalid, at: name, "`model.load_in_4bit` and `model.load_in_8bit` contradict each other.",
                advice: "Leave one of them out.")
        }
        if lora == nil {
            throw ConfigurationError(
                .invalid, at: name, "`lora: null` trains every weight, and quantised ones cannot be trained.",
                advice: "Train an adapter, or leave `load_in_4bit` and `load_in_8bit` out.")
        }
        if model.weights != .auto {
            throw ConfigurationError(
                .invalid, at: name,
                "`model.weights: \(model.weights.rawValue)` says how a file's own quantised weights are held; "
                    + "`load_in_4bit` and `load_in_8bit` quantise weights that are not.",
                advice: "Leave one of them out.")
        }
    }

    private func checkComputeType(_ name: String) throws {
        let key = "`model.bnb_4bit_compute_dtype: \(model.fourBitComputeType.rawValue)`"
        switch model.fourBitComputeType {
        case .auto, .float32: break
        case .float16:
            throw ConfigurationError(
                .invalid, at: name, "\(key) cannot be trained: float16 needs its losses scaled.",
                advice: "Use `bfloat16` or `float32`.")
        case .bfloat16:
            guard model.dtype == .float32 || (model.dtype == .auto && !computesInBFloat16) else { break }
            throw ConfigurationError(
                .invalid, at: name, "\(key) contradicts weights that are float32.",
                advice: "Leave it out, or use `model.dtype: bfloat16`.")
        }
    }

    private func checkMonitor(_ name: String) throws {
        do {
            try monitor.thresholds.validate()
        } catch {
            throw ConfigurationError(
                .invalid, at: name, "`monitor\(error.place.map { ".\($0)" } ?? "")` \(error.message)",
                advice: error.advice)
        }
        guard (monitor.onAlert == .command) == (monitor.alertCommand != nil) else {
            throw ConfigurationError(
                .invalid, at: name,
                "`monitor.on_alert: \(monitor.onAlert.rawValue)` and `monitor.alert_command` contradict each other: the "
                    + "command is for `on_alert: command`, which needs one.")
        }
    }

    private func checkSchedule(_ name: String) throws {
        try checkWarmup(name)
        let options = training.scheduleOptions
        let isTaken = { (option: ScheduleOption) in option.courses.contains(training.schedule) }
        if let other = ScheduleOption.all.first(where: { !isTaken($0) && $0.write(options) != nil }) {
            let taken = ScheduleOption.all.filter(isTaken).map(\.name)
            throw ConfigurationError(
                .invalid, at: name,
                "`training.lr_scheduler_kwargs`: `training.lr_scheduler_type: \(training.schedule.rawValue)` has no "
                    + "`\(other.name)`.",
                advice: "It takes \(taken.isEmpty ? "no such keys" : taken.joined(separator: ", ")).")
        }
        if training.schedule == .cosineWithRestarts, let cycles = options.cycles, cycles != cycles.rounded() {
            throw ConfigurationError(
                .invalid, at: name,
                "`num_cycles` (\(cycles)) of `training.lr_scheduler_kwargs` is not a whole number, which "
                    + "`cosine_with_restarts` needs.")
        }
        if let decaySteps = options.decaySteps, let maxSteps = training.maxSteps, decaySteps > maxSteps {
            throw ConfigurationError(
                .invalid, at: name,
                "`num_decay_steps` (\(decaySteps)) of `training.lr_scheduler_kwargs` is more than `training.max_steps` "
                    + "(\(maxSteps)).")
        }
        if training.schedule == .polynomial, options.endRate >= training.learningRate, training.learningRate > 0 {
            throw ConfigurationError(
                .invalid, at: name,
                "`lr_end` (\(options.endRate)) of `training.lr_scheduler_kwargs` is not below `training.learning_rate` "
                    + "(\(training.learningRate)).")
        }
    }

    /// What is known before the data: a warm-up that is longer than the run. The run itself looks again.
    private func checkWarmup(_ name: String) throws {
        guard let maxSteps = training.maxSteps, case .steps(let warmup) = training.warmupSteps, warmup > maxSteps,
            training.learningRates(totalSteps: maxSteps).fault() != nil
        else { return }
        throw ConfigurationError(
            .invalid, at: name,
            "`training.warmup_steps` (\(warmup)) is more than `training.max_steps` (\(maxSteps)): "
                + "the learning rate would never reach its peak.")
    }
}
