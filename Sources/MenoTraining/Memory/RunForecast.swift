internal import MenoModels

/// What a run will take: steps, memory, time and disk.
package struct RunForecast: Sendable, Encodable {
    package struct Memory: Sendable, Encodable {
        /// Bytes held before the first step: weights, adapters, the optimizer's state, the program.
        package var resident: Int
        /// Bytes at the height of the run's largest pass, all included.
        package var peak: Int
        /// Bytes that could be taken beyond ``resident``; `nil`: unknown.
        package var available: Int?

        /// Whether the run fits; `true` where the available memory is not known.
        package var fits: Bool { available.map { peak - resident <= $0 } ?? true }
    }

    package struct Disk: Sendable, Encodable {
        /// Bytes of a checkpoint, and of the final adapter or model.
        package var checkpoint: Int
        package var final: Int
        /// Checkpoints that are there at the same time, at most.
        package var checkpoints: Int
        /// Bytes in all, with the checkpoint that is being written before an old one goes.
        package var total: Int { checkpoint * (checkpoints > 0 ? checkpoints + 1 : 0) + final }
    }

    package var steps: Int
    package var stepsPerEpoch: Int
    package var examples: Int
    /// Tokens trained on in all steps.
    package var tokens: Int
    package var evaluations: Int
    package var evaluationTokens: Int
    package var trainedParameters: Int
    package var totalParameters: Int
    /// The limit on a pass, and the tokens of the largest one.
    package var tokensPerPass: Int
    package var largestPass: Int
    package var passes: Int
    package var memory: Memory
    package var disk: Disk
    package var trainingSeconds: Double
    package var evaluationSeconds: Double
}

extension TrainingLoop {
    /// Forecasts the run by measuring two passes and those of a step; nothing is trained.
    /// - Throws: ``TrainingError`` with `outOfMemory` where not even one example fits, or with `cannotPlan` where the system
    ///   does not tell what a pass takes.
    package func forecast() throws -> RunForecast {
        try checkLearningRates()
        planCheckpointing()
        guard
            var plan = try MemoryPlan.measure(
                model, objective: objective, longest: passSizes.longest, preferredTokens: passSizes.preferred)
        else {
            throw TrainingError(.cannotPlan, "this system does not report the peak memory of a pass.")
        }
        let limit = try arguments.tokensPerPass ?? plan.tokensPerPass()
        let (tokens, computed, largest, passes) = try passes(tokensPerPass: limit)
        // A forecast may take its time: where it is safe, the passes of a step themselves are measured.
        if plan.available.map({ plan.peak(tokens: largest) - plan.resident < $0 / 2 }) ?? false {
            try plan.refine(
                PassProbe(model: model, objective: objective),
                passes: try loader.load(stepsDone, tokensPerPass: limit).passes)
        }
        let interval = arguments.evaluationInterval(batches)
        let evaluations =
            evaluation.isEmpty
            ? 0 : interval.map { (totalSteps + $0 - 1) / $0 + (arguments.evaluatesOnStart ? 1 : 0) } ?? 0
        let evaluationTokens = evaluation.reduce(0) { $0 + $1.tokenCount }
        let computedInEvaluation = objective.arrangements.reduce(0) { sum, arrangement in
            let plan = PassPlan(
                evaluation, as: arrangement, tokens: passSizes.evaluation(besides: limit),
                sharing: model.sharesBeginnings(training: false))
            return sum + plan.parts.reduce(0) { $0 + $1.pass.inputIDs.count }
        }
        let disk = diskForecast
        // While a checkpoint is being written its values are held a second time.
        let peak = plan.peak(tokens: largest) + (disk.checkpoints > 0 ? disk.checkpoint : 0)
        return RunForecast(
            steps: totalSteps, stepsPerEpoch: batches.stepsPerEpoch, examples: training.count, tokens: tokens,
            evaluations: evaluations, evaluationTokens: evaluationTokens * evaluations,
            trainedParameters: model.trainedParameterCount,
            totalParameters: model.parameterCount, tokensPerPass: limit,
            largestPass: largest, passes: passes,
            memory: .init(
                resident: plan.resident, peak: max(peak, ProcessMemory.loadPeak(on: model.device)),
                available: plan.available),
            disk: disk,
            trainingSeconds: Double(computed) * plan.trainingSecondsPerToken,
            evaluationSeconds: Double(computedInEvaluation * evaluations) * plan.evaluationSecondsPerToken)
    }

    /// What the run will write, reports and logs left out.
    var diskForecast: RunForecast.Disk {
        let weights = model.trainedParameterCount * MemoryLayout<Float>.size
        let state = optimizerStep.optimizer.state.reduce(0) { $0 + $1.tensor.count } * MemoryLayout<Float>.size
        let companions = saving?.form.companionSize ?? 0
        let saves = arguments.saveInterval(batches).map { (totalSteps + $0 - 1) / $0 } ?? 0
        return .init(
            checkpoint: weights + state + companions, final: weights + companions,
            checkpoints: min(saves, arguments.saveTotalLimit ?? saves))
    }

    /// Steps that are looked at; of longer runs, so many spread evenly stand for all.
    private static let mostForecastSteps = 5000

    /// What all steps take: tokens, those that are computed, those of the largest pass, and passes.
    private func passes(tokensPerPass: Int) throws -> (tokens: Int, computed: Int, largest: Int, count: Int) {
        var (tokens, computed, largest, count) = (0, 0, 0, 0)
        let sharing = model.sharesBeginnings(training: true)
        let stride = max(1, totalSteps / Self.mostForecastSteps)
        var looked = 0
        for epoch in 0..<(totalSteps + batches.stepsPerEpoch - 1) / batches.stepsPerEpoch {
            let order = batches.order(ofEpoch: epoch)
            for step in 0..<min(batches.stepsPerEpoch, totalSteps - epoch * batches.stepsPerEpoch)
            where (epoch * batches.stepsPerEpoch + step) % stride == 0 {
                let batch = try training.examples(at: batches.examples(ofStep: step, in: order))
                let parts = objective.arrangements.flatMap {
                    PassPlan.parts(
                        of: batch, as: $0, tokens: tokensPerPass, sharing: sharing, shards: arguments.logicalShards)
                }
                for part in parts {
                    let size = part.pass.inputIDs.count
                    tokens += part.pass.layout.sequenceTokenCount
                    computed += size
                    largest = max(largest, size)
                    count += 1
                }
                looked += 1
            }
        }
        guard looked < totalSteps else { return (tokens, computed, largest, count) }
        let whole = { (part: Int) in Int(Double(part) * Double(self.totalSteps) / Double(looked)) }
        return (whole(tokens), whole(computed), largest, whole(count))
    }
}
