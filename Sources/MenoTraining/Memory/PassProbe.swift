internal import MenoModels
internal import MenoTensor

/// Measures what a pass costs, by passes whose gradients are thrown away.
struct PassProbe {
    let model: Decoder

    /// What passes of equal examples cost.
    struct Measurement: Sendable {
        /// Tokens of an example.
        var length: Int
        /// Bytes held before the last pass; the ones before it leave behind what a program needs but once.
        var resident: Int
        /// Bytes that a pass of some examples takes at its height, beyond what was held before it.
        var bytes: [(examples: Int, bytes: Int)]
        /// Forward and backward, and forward alone, in the largest pass.
        var trainingSecondsPerToken: Double
        var evaluationSecondsPerToken: Double
    }

    /// Runs a pass for each number of examples, in rising order. Parameters, optimizer and random state are left as they
    /// were.
    /// - Returns: `nil` where the system does not tell the peak of one piece of work.
    /// - Throws: `TorchError`, with `outOfMemory` where even these passes do not fit.
    func measure(length: Int, examples counts: [Int]) throws -> Measurement? {
        let states = try [Device.cpu, model.device].map { ($0, try RandomGenerator.state(of: $0)) }
        defer {
            for parameter in model.trainedParameters { try? parameter.tensor.setGradient(nil) }
            for (device, state) in states { try? RandomGenerator.setState(state, of: device) }
            try? model.device.emptyCache()
            Torch.releaseUnusedHostMemory()
        }
        var result = Measurement(
            length: length, resident: 0, bytes: [], trainingSecondsPerToken: 0, evaluationSecondsPerToken: 0)
        let clock = ContinuousClock()
        for count in counts {
            guard let before = try startMeasuring() else { return nil }
            result.resident = before
            // What the allocator keeps from one pass, the next of another length often cannot use.
            try trainingPass(length: max(2, length - 1), examples: count)
            let start = clock.now
            try trainingPass(length: length, examples: count)
            result.bytes.append((count, max(0, try peak() - before)))
            let middle = clock.now
            let pass = synthetic(length: length, examples: count)
            _ = try withoutGradient {
                try model.loss(inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout)
            }
            try model.device.synchronize()
            let tokens = Double(length * count)
            result.trainingSecondsPerToken = (middle - start).seconds / tokens
            result.evaluationSecondsPerToken = (clock.now - middle).seconds / tokens
        }
        return result
    }

    private func trainingPass(length: Int, examples: Int) throws {
        let pass = synthetic(length: length, examples: examples)
        try model.loss(inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout).losses.sum.backward()
        try model.device.synchronize()
        for parameter in model.trainedParameters { try parameter.tensor.setGradient(nil) }
    }

    /// Ids do not matter to memory or time.
    private func synthetic(length: Int, examples: Int) -> Pass {
        let ids = (0..<length * examples).map { Int32($0 % model.configuration.vocabularySize) }
        return Pass(
            inputIDs: ids, labels: ids, layout: SequenceLayout(lengths: Array(repeating: length, count: examples)))
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
