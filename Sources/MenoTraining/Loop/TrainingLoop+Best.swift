internal import Foundation
internal import MenoMetrics

/// Which model a run ends with.
extension TrainingLoop {
    /// Whether the weights of the evaluation that is made now will be on disk if it is the best.
    var keepsWeightsOfBest: Bool {
        guard saving != nil, let interval = arguments.saveInterval(batches) else { return false }
        return arguments.loadsBestModelAtEnd || isLastStep || stepsDone % interval == 0
    }

    /// Makes sure that the best model is one that can be delivered: of the present weights, or with a checkpoint. One whose
    /// checkpoint could not be saved, or was removed, makes room for the next best.
    func confirmBest() {
        guard let saving, let step = progress.best.step else { return }
        if let place = kept(step, saving) { progress.best.lies(place) } else { chooseBest(saving) }
    }

    private func chooseBest(_ saving: RunSaving, without broken: Set<Int> = []) {
        let beside = progress.best.folder.map { URL(filePath: $0).deletingLastPathComponent() }
        var chosen = progress.best
        chosen.choose(among: progress.log.entries, arguments.bestMetric) { step in
            guard !broken.contains(step), let place = kept(step, saving) ?? beside.flatMap({ Self.kept(step, in: $0) })
            else { return nil }
            return step == stepsDone || isOfThisRun(place, step, saving) ? place : nil
        }
        progress.best = chosen
    }

    /// Whether a checkpoint was judged as this run's log says: one of the same name may be of a branch that was left.
    private func isOfThisRun(_ place: BestModel.Kept, _ step: Int, _ saving: RunSaving) -> Bool {
        struct State: Decodable {
            var globalStep: Int
            var logHistory: [TrainerState.LogEntry]
        }
        let folder = if case .elsewhere(let path) = place { URL(filePath: path) } else { saving.store.url(step: step) }
        guard let data = try? Data(contentsOf: folder.appending(path: TrainerState.name)),
            let state = try? CheckpointStore.decoder.decode(State.self, from: data)
        else { return false }
        let loss = { (entries: [TrainerState.LogEntry]) in
            entries.last { $0.step == step && $0.evalLoss != nil }?.evalLoss
        }
        return state.globalStep == step && loss(state.logHistory) == loss(progress.log.entries)
    }

    /// Where the weights of a step are, as far as this run keeps them.
    private func kept(_ step: Int, _ saving: RunSaving) -> BestModel.Kept? {
        if step == progress.best.step, let folder = progress.best.folder {
            return CheckpointManifest.hasFiles(URL(filePath: folder)) ? .elsewhere(folder) : nil
        }
        // Steps up to the one resumed at lie where that checkpoint does.
        if let resumption, let source = resumption.folder, step <= resumption.step,
            !Self.isSame(source.deletingLastPathComponent(), saving.store.folder)
        {
            return step == resumption.step && CheckpointManifest.hasFiles(source)
                ? .elsewhere(source.absoluteURL.path) : Self.kept(step, in: source.deletingLastPathComponent())
        }
        if step == stepsDone || CheckpointManifest.hasFiles(saving.store.url(step: step)) { return .here }
        // A stable checkpoint of the step has the same weights.
        let stable = saving.stableStore.url(step: step)
        return CheckpointManifest.hasFiles(stable) ? .elsewhere(stable.absoluteURL.path) : nil
    }

    /// The checkpoint of a step in a folder of another run.
    private static func kept(_ step: Int, in folder: URL) -> BestModel.Kept? {
        let url = CheckpointStore(folder).url(step: step)
        return CheckpointManifest.hasFiles(url) ? .elsewhere(url.absoluteURL.path) : nil
    }

    private static func isSame(_ a: URL, _ b: URL) -> Bool {
        a.standardizedFileURL.resolvingSymlinksInPath().path == b.standardizedFileURL.resolvingSymlinksInPath().path
    }

    /// Takes over what a checkpoint knows of the best model, as far as it is true for this run.
    func restoreBest(_ saved: SavedRun, from folder: URL) {
        guard let saving else { return }
        if saved.changesEvaluation(saving.settings) {
            progress.best = BestModel(since: stepsDone)
            return observers.emit(
                .notice("the held-out examples have changed: the best model and the patience start from scratch"))
        }
        let before = saved.state.progress.best
        progress.best = before.judged(
            by: arguments.bestMetric, threshold: arguments.earlyStoppingThreshold, evaluations: progress.log.entries)
        chooseBest(saving)
        let best = progress.best
        guard let step = before.step, before.competes(step), best.metric == before.metric, best.step != step else {
            return
        }
        observers.emit(
            .warning(
                "the best model so far, from step \(step), has no complete checkpoint beside \(folder.path)"
                    + (best.step.map { "; the best one there is from step \($0)" }
                        ?? ", and no other evaluation has one")
            ))
    }

    /// Loads the best model where it is to be the result, and warns of a better one that is not.
    func deliverBest() throws {
        if arguments.loadsBestModelAtEnd, let saving { try loadBest(saving) }
        tellOfBetter()
    }

    private func loadBest(_ saving: RunSaving) throws {
        confirmBest()
        var broken: Set<Int> = []
        while let step = progress.best.step, step != stepsDone {
            let folder = progress.best.folder.map { URL(filePath: $0) } ?? saving.store.url(step: step)
            if let fault = CheckpointManifest.fault(of: folder) {
                observers.emit(.warning("the best model (step \(step)) cannot be loaded: \(fault)."))
                broken.insert(step)
                chooseBest(saving, without: broken)
                continue
            }
            try saving.form.restore(model, from: folder)
            delivered = step
            return observers.emit(.notice("loaded the best model, from step \(step)"))
        }
    }

    /// A model that was better than the one that the run ends with is never passed over silently.
    private func tellOfBetter() {
        let metric = arguments.bestMetric
        let last = progress.log.entries.filter { $0.step > (progress.best.since ?? -1) && metric.value($0) != nil }
        guard let result = last.last(where: { $0.step == delivered ?? stepsDone }).flatMap(metric.value) else { return }
        var better: (step: Int, value: Double)?
        for entry in last {
            guard let value = metric.value(entry), metric.isBetter(value, than: better?.value ?? result) else {
                continue
            }
            better = (entry.step, value)
        }
        guard let better else { return }
        let values = "\(metric.rawValue) \(better.value), final model \(result)"
        if better.step == 0 {
            observers.emit(.warning("the model was better before training: \(values)"))
        } else if arguments.loadsBestModelAtEnd {
            observers.emit(
                .warning("the model at step \(better.step) was better, but its weights are not on disk: \(values)"))
        } else {
            observers.emit(
                .notice("the model at step \(better.step) was better (load_best_model_at_end: false): \(values)"))
        }
    }
}
