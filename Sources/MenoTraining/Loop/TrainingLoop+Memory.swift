internal import MenoMetrics
internal import MenoTensor

/// How the examples of a step are divided into passes.
extension TrainingLoop {
    /// Decides how many tokens go through the model together, where nothing has decided it yet.
    func planPasses() throws {
        guard tokensPerPass == nil else { return }
        let preferred = max(longestExample, MemoryPlan.preferredTokens(on: model.device))
        let bound = MemoryPlan.bound(model, tokens: preferred, longest: longestExample)
        if let available = MemoryLimit.available(on: model.device), bound < available / 2 {
            tokensPerPass = preferred
            return observers.emit(
                .notice("passes of up to \(preferred) tokens: less than \(bound >> 20) of \(available >> 20) MiB available"))
        }
        let plan: MemoryPlan?
        do {
            plan = try MemoryPlan.measure(model, longest: longestExample)
        } catch let error as TorchError where error.code == .outOfMemory {
            throw outOfMemory(tokens: longestExample, error)
        }
        guard let plan else {
            tokensPerPass = preferred
            return observers.emit(
                .notice("the system does not tell what passes cost: they have up to \(preferred) tokens"))
        }
        let tokens = try plan.tokensPerPass()
        tokensPerPass = tokens
        let available = plan.available.map { " of \(($0 + plan.resident) >> 20)" } ?? ""
        observers.emit(
            .notice(
                "passes of up to \(tokens) tokens: about \(plan.peak(tokens: tokens) >> 20)\(available) MiB at their height"
            ))
    }

    /// Halves the passes after one of them did not fit.
    /// - Throws: ``TrainingError`` where each was one example already.
    func makePassesSmaller(_ passes: [Pass], _ error: TorchError) throws {
        releaseMemory()
        let largest = passes.filter { $0.layout.lengths.count > 1 }.map(\.inputIDs.count).max()
        guard let largest else { throw outOfMemory(tokens: passes.map(\.inputIDs.count).max() ?? 0, error) }
        tokensPerPass = max(1, largest / 2)
        observers.emit(
            .warning(
                "out of memory in a pass of up to \(largest) tokens: the step is done again in passes of up to "
                    + "\(largest / 2). (\(error.message))"))
    }

    private var longestExample: Int { training.reduce(1) { max($0, $1.ids.count) } }

    private func outOfMemory(tokens: Int, _ error: TorchError) -> TrainingError {
        TrainingError(
            .outOfMemory, "there is not enough memory for an example of up to \(tokens) tokens (\(error.message)).",
            advice: "Set training.gradient_checkpointing: true, a smaller data.max_length or model.dtype: bfloat16.")
    }
}
