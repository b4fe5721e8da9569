internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoModels
internal import MenoTraining

/// The reference model of a run.
extension TrainingSession {
    /// Loads the reference model.
    static func reference(
        _ source: RunReference.Source, beside model: LoadedModel, _ configuration: RunConfiguration,
        _ initialAdapter: URL?, _ log: any SessionLog
    ) throws -> Decoder {
        let decoder = model.decoder
        var (name, adapter) = (configuration.model.nameOrPath, initialAdapter?.path)
        if case .base = source { adapter = nil }
        var isOther = false
        if case .other(let path) = source {
            isOther = AdapterFolder(URL(filePath: path)) == nil
            (name, adapter) = isOther ? (path, nil) : (name, path)
        }
        log.note("loading the reference: \([name, adapter].compactMap { $0 }.joined(separator: " with "))")
        guard isOther else {
            // The weights of the run's model are held as in the run.
            let files = try ModelFiles(model.url)
            let form = configuration.model.weights.form(of: files, dtype: decoder.weightType, device: decoder.device)
            let reference = try files.load(
                dtype: decoder.weightType, form: form, quantization: configuration.model.quantization,
                device: decoder.device)
            if let adapter { try LoRAFiles.attach(URL(filePath: adapter), to: reference, warn: { log.warn($0) }) }
            return reference
        }
        let reference = try LoadedModel(name, dtype: decoder.weightType, device: decoder.device, log: log).decoder
        guard reference.configuration.vocabularySize == decoder.configuration.vocabularySize else {
            throw ConfigurationError(
                .invalid, at: "training.reference",
                "\(name) has a vocabulary of \(reference.configuration.vocabularySize) tokens, the model one of "
                    + "\(decoder.configuration.vocabularySize).", advice: "Name a model with the same tokenizer.")
        }
        return reference
    }

    /// The examples, with the reference's log-probabilities if those are computed before the first
    /// step.
    func scored() throws -> ExampleSides.Sides {
        guard let scorer = reference.scorer else { return examples }
        let all = try examples.training.beginning(examples.training.count) + examples.evaluation
        let url = folders.base.appending(path: ReferenceFile.name)
        let key = ReferenceFile.key(of: all, identity: scorer.identity)
        // Rank 0 computes and writes them.
        let scores = try Agreement(processes).inTurn { try referenceScores(of: all, url, key: key, by: scorer) }
        var sides = examples
        let count = sides.training.count
        sides.training = ScoredExamples(sides.training, Array(scores.prefix(count)))
        for index in sides.evaluation.indices {
            sides.evaluation[index].preference?.reference = scores[count + index]
        }
        return sides
    }

    private func referenceScores(
        of all: [Example], _ url: URL, key: String, by scorer: RunReference.Scorer
    ) throws -> [ReferenceScores] {
        let scores: [ReferenceScores]
        if let kept = ReferenceFile.scores(in: url, key: key, count: all.count) {
            scores = kept
            log.note("the reference's log-probabilities come from \(url.path)")
        } else {
            log.note("computing the reference's log-probabilities for \(all.count) examples")
            let decoder = try scorer.load?() ?? model.decoder
            let scoring = ReferenceScoring(decoder, arePairs: configuration.training.objective.kind.isOfPairs)
            let compute = {
                try scoring.scores(of: all) { done in
                    log.progress("\(done) of \(all.count)")
                    return !shouldStop()
                } onShortage: {
                    log.warn($0)
                }
            }
            scores = try scorer.adapters.map { try decoder.computing(with: $0, compute) } ?? compute()
            if processes.isFirst { try ReferenceFile(key: key, scores: scores).write(to: url) }
        }
        return scores
    }
}

extension ObjectiveOptions.Kind {
    /// The kind of example.
    var unit: ExampleBuilder.Unit {
        switch self {
        case .sft: .completions
        case .kto: .judged
        default: .pairs
        }
    }
}
