internal import Foundation
internal import MenoData
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor

/// Saving.
extension TrainingLoop {
    /// Begins to write a checkpoint of this moment. A fault is told and does not harm the training.
    /// - Parameter isWhole: whether it holds all that a run needs to be resumed, even if others hold the model alone.
    func save(isWhole: Bool = false) {
        var isWhole = isWhole || !arguments.savesOnlyModel
        var isDue = stepsDone > 0 && (savedStep != stepsDone || (isWhole && resumableStep != stepsDone))
        var optimizer: NamedValues?
        if optimizerStep.sharesOptimizer {
            // The others give their parts.
            do {
                (isDue, isWhole) = (try agreement.first(isDue && writer != nil), try agreement.first(isWhole))
                if isDue, isWhole { optimizer = try optimizerStep.optimizerState() }
            } catch {
                return observers.emit(.checkpointFailed(kind: .regular, step: stepsDone, reason: error.text))
            }
        }
        guard isDue, let saving, let writer else { return }
        // What observers know of the checkpoints before this one is part of its state.
        finishSaving()
        confirmBest()
        do {
            writer.begin(
                try contents(saving, isWhole: isWhole, optimizer), keeping: progress.best.step.map { [$0] } ?? [])
            savedStep = stepsDone
            resumableStep = isWhole ? stepsDone : nil
        } catch {
            observers.emit(.checkpointFailed(kind: .regular, step: stepsDone, reason: error.text))
        }
    }

    func saveStable(_ files: [String: Data]) {
        guard let saving, let writer, stepsDone > 0, stableStep != stepsDone else { return }
        stableStep = stepsDone
        do {
            // The parts of a state that is divided cannot be asked for here.
            let isWhole = !arguments.savesOnlyModel && !optimizerStep.sharesOptimizer
            var contents = try contents(saving, isWhole: isWhole)
            contents.files.merge(files) { own, _ in own }
            writer.beginStable(contents)
        } catch {
            observers.emit(.checkpointFailed(kind: .stable, step: stepsDone, reason: error.text))
        }
    }

    /// - Parameter optimizer: its state, where that is known already.
    private func contents(
        _ saving: RunSaving, isWhole: Bool, _ optimizer: NamedValues? = nil
    ) throws -> CheckpointStore.Contents {
        var contents = CheckpointStore.Contents(
            step: stepsDone, form: saving.form, weights: try model.trainedValues(), optimizer: nil,
            files: [TrainerState.name: try CheckpointStore.encoder.encode(trainerState(saving))])
        guard isWhole else { return contents }
        contents.optimizer = try optimizer ?? optimizerStep.optimizerState()
        contents.files[RunState.name] = try CheckpointStore.encoder.encode(try runState(saving))
        contents.files[CheckpointStore.observersName] = try CheckpointStore.encoder.encode(observers.states())
        return contents
    }

    /// Emits what became of checkpoints, and does what policies have decided.
    /// - Returns: whether there was anything.
    @discardableResult
    func settle() -> Bool {
        let events = writer?.takeEvents() ?? []
        for event in events {
            if case .checkpointFailed(.regular, savedStep, _) = event { (savedStep, resumableStep) = (nil, nil) }
            observers.emit(event)
        }
        let decisions = observers.takeDecisions()
        for decision in decisions {
            switch decision {
            case .saveStableCheckpoint(let files): saveStable(files)
            case .saveCheckpoint: isCheckpointWanted = true
            case .removeStableCheckpoint(let step): writer?.removeStable(step: step)
            case .stop(let reason): stopReason = stopReason ?? reason
            case .announce: break
            }
        }
        return !(events.isEmpty && decisions.isEmpty)
    }

    /// Waits until everything that was decided is on the disk. One checkpoint may lead to the removal of others. This ends, as a
    /// step has one stable checkpoint at most, and only so many are there to be removed.
    func finishSaving() {
        repeat { writer?.wait() } while settle()
    }

    func runState(_ saving: RunSaving) throws -> RunState {
        let randomStates = try RandomStates(of: model.device).states.map { ("\($0.device)", Data($0.state)) }
        return RunState(
            settings: saving.settings, randomStates: Dictionary(uniqueKeysWithValues: randomStates),
            products: hasChoiceOfProducts ? ProductKind.current.rawValue : nil, progress: progress)
    }

    /// Frozen weights in bfloat16 on the CPU are multiplied in one of several ways.
    private var hasChoiceOfProducts: Bool {
        model.device == .cpu && model.weightType == .bfloat16
    }

    func trainerState(_ saving: RunSaving) -> TrainerState {
        let (best, log) = (progress.best, progress.log)
        return TrainerState(
            bestGlobalStep: best.step, bestMetric: best.value,
            bestModelCheckpoint: best.step.map { best.folder ?? saving.store.url(step: $0).lastPathComponent },
            epoch: epoch(after: stepsDone), evalSteps: arguments.evaluationInterval(batches) ?? totalSteps,
            globalStep: stepsDone, logHistory: log.entries,
            loggingSteps: arguments.loggingInterval(batches) ?? totalSteps, maxSteps: totalSteps,
            numInputTokensSeen: log.tokens, numTrainEpochs: arguments.epochs,
            saveSteps: arguments.saveInterval(batches) ?? totalSteps,
            trainBatchSize: arguments.batchSize)
    }
}
