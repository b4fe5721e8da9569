internal import MenoModels
internal import MenoTensor

/// Measures what a pass costs, by passes whose gradients are thrown away.
struct PassProbe {
    let model: Decoder
    let objective: any Objective

    /// What passes cost.
    struct Measurement: Sendable {
        /// Bytes held before the last pass; the ones before it leave behind what a program needs but once.
        var resident = 0
        /// Bytes at the height of each measurement, beyond what was held before it.
        var bytes: [Int] = []
        /// Forward and backward, and forward alone, in the last measurement.
        var trainingSecondsPerToken = 0.0
        var evaluationSecondsPerToken = 0.0
    }

    /// Measures a pass of equal examples for each number of them, in rising order.
    ///
    /// Parameters, optimizer and random state are left as they were.
    /// - Returns: `nil` where the system does not tell the peak of one piece of work.
    /// - Throws: `TorchError`, with `outOfMemory` where even these passes do not fit.
    func measure(length: Int, examples counts: [Int]) throws -> Measurement? {
        // What the allocator keeps from one pass, the next of another length often cannot use.
        let lengths = [max(2, length - 1), length]
        return try measure(counts.map { count in lengths.map { synthetic(length: $0, examples: count) } })
    }

    /// Measures the passes of a step, whose gradients add up.
    func measure(_ step: [Pass]) throws -> Measurement? {
        let counted = step.filter { objective.weight(of: $0) > 0 }
        return counted.isEmpty ? nil : try measure([counted])
    }

    private func measure(_ steps: [[Pass]]) throws -> Measurement? {
        let states = try RandomStates(of: model.device)
        defer {
            for parameter in model.trainedParameters { try? parameter.tensor.setGradient(nil) }
            try? states.restore()
            model.device.releaseMemory()
        }
        var result = Measurement()
        let clock = ContinuousClock()
        for step in steps {
            guard let before = try startMeasuring() else { return nil }
            result.resident = before
            var last = (pass: step[0], seconds: 0.0)
            let totals = try objective.totals(of: step, by: model)
            for pass in step {
                let start = clock.now
                try objective.loss(of: pass, in: totals, by: model).sum?.backward()
                try model.device.synchronize()
                last = (pass, (clock.now - start) / .seconds(1))
            }
            result.bytes.append(max(0, try peak() - before))
            for parameter in model.trainedParameters { try parameter.tensor.setGradient(nil) }
            let start = clock.now
            _ = try withoutGradient { try objective.loss(of: last.pass, in: totals, by: model) }
            try model.device.synchronize()
            let tokens = Double(last.pass.inputIDs.count)
            result.trainingSecondsPerToken = last.seconds / tokens
            result.evaluationSecondsPerToken = (clock.now - start) / .seconds(1) / tokens
        }
        return result
    }

    /// Ids do not matter to memory or time.
    private func synthetic(length: Int, examples: Int) -> Pass {
        let arrangement = objective.arrangements.last ?? .examples
        return arrangement.synthetic(
            length: length, examples: examples, vocabularySize: model.configuration.vocabularySize)
    }

    /// - Returns: bytes held now.
    private func startMeasuring() throws -> Int? {
        Torch.releaseUnusedHostMemory()
        guard let memory = try model.device.memory() else {
            return ProcessMemory.resetPeak() ? ProcessMemory.current().resident : nil
        }
        try model.device.resetPeakMemory()
        return memory.allocated
    }

    private func peak() throws -> Int { try model.device.memory()?.peakAllocated ?? ProcessMemory.peakSinceReset() }
}
