internal import MenoMetrics
internal import MenoTensor

/// How the examples of a step are divided into passes.
extension TrainingLoop {
    /// Decides how many tokens go through the model together, where nothing has decided it yet.
    func planPasses() throws {
        // Loading leaves pieces of memory that passes do not fill.
        model.device.releaseMemory()
        let preferred = passSizes.training
        let (bound, available) = planCheckpointing()
        guard progress.passLimits.training == nil else { return }
        if let available, bound < available / 2 {
            progress.passLimits.training = preferred
            let again = model.checkpointedLayers
            return observers.emit(
                .notice(
                    "passes of up to \(preferred) tokens: they need at most \(bound >> 20) MiB, and \(available >> 20) MiB are free"
                        + (again > 0 ? ", with \(again) layers recomputed in the backward pass" : ""))
            )
        }
        let plan: MemoryPlan?
        do {
            plan = try MemoryPlan.measure(
                model, objective: objective, longest: passSizes.longest, preferredTokens: passSizes.preferred)
        } catch let error as TorchError where error.code == .outOfMemory {
            throw outOfMemory(tokens: passSizes.longest, error)
        }
        guard let plan else {
            progress.passLimits.training = preferred
            return observers.emit(
                .notice("the system does not report memory use: passes have up to \(preferred) tokens"))
        }
        let tokens = try plan.tokensPerPass()
        progress.passLimits.training = tokens
        let whole = plan.available.map { " of \(($0 + plan.resident) >> 20)" } ?? ""
        observers.emit(
            .notice(
                "passes of up to \(tokens) tokens: about \(plan.peak(tokens: tokens) >> 20)\(whole) MiB at peak"
            ))
    }

    /// A process without a pass of its own only waits.
    func warnOfIdleProcesses() {
        guard processes.size > 1, isFirst, stepsDone < totalSteps else { return }
        let tokens = progress.passLimits.training(of: passSizes)
        // What cannot be loaded is an error of the step.
        guard let passes = try? loader.load(stepsDone, tokensPerPass: tokens).passes.count, passes < processes.size
        else { return }
        observers.emit(
            .warning(
                "a step of this run is \(passes == 1 ? "one pass" : "\(passes) passes"), and there are \(processes.size) "
                    + "processes: the others are idle. Setting logical_shards to \(processes.size) divides each step among all of them, in a "
                    + "new run."))
    }

    /// Decides how many layers are computed again in the backward pass, where that is left to the memory that there is.
    /// - Returns: what a pass then stays below, and the memory that is free, in bytes.
    @discardableResult func planCheckpointing() -> (bound: Int, available: Int?) {
        let bound = MemoryPlan.bound(model, tokens: passSizes.training, longest: passSizes.longest)
        let available = MemoryLimit.available(on: model.device)
        if arguments.gradientCheckpointing == .whenNeeded {
            model.checkpointedLayers =
                available.map { bound.checkpointedLayers(below: $0 / 2) } ?? model.configuration.layerCount
        }
        return (bound.bytes(checkpointed: model.checkpointedLayers), available)
    }

    func measurePassSizes() -> PassLimits.Sizes {
        PassLimits.Sizes(
            longest: max(1, training.largestExample), chosen: arguments.tokensPerPass,
            preferred: MemoryPlan.preferredTokens(of: model),
            // What is preferred on an accelerator is as much already.
            preferredInEvaluation: model.device.kind == .cpu ? Evaluator.preferredTokens(of: model) : nil)
    }

    /// Begins to compute layers again, or halves the passes, after one of them did not fit.
    /// - Throws: ``TrainingError`` where each was one example already.
    func makePassesSmaller(_ passes: [Pass], _ error: TorchError) throws {
        model.device.releaseMemory()
        if arguments.gradientCheckpointing == .whenNeeded,
            model.checkpointedLayers < model.configuration.layerCount
        {
            model.checkpointedLayers = model.configuration.layerCount
            return observers.emit(
                .warning(
                    "out of memory: the step is repeated, and all layers are recomputed in the backward pass from now "
                        + "on. (\(error.message))"))
        }
        guard let largest = progress.passLimits.halve(after: passes) else {
            throw outOfMemory(tokens: passes.map(\.inputIDs.count).max() ?? 0, error)
        }
        observers.emit(
            .warning(
                "out of memory in a pass of up to \(largest) tokens: the step is repeated in passes of up to "
                    + "\(largest / 2). (\(error.message))"))
    }

    private func outOfMemory(tokens: Int, _ error: TorchError) -> TrainingError {
        TrainingError(
            .outOfMemory, "there is not enough memory for an example of up to \(tokens) tokens (\(error.message)).",
            advice: "Always checkpoint the activations, shorten the examples, or keep the weights in bfloat16.",
            settings: [.gradientCheckpointing: "always", .maxLength: nil, .dtype: "bfloat16"])
    }
}
