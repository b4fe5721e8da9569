internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoTraining

/// The data of a run: the examples that it trains on, and those that evaluate it.
struct TrainingExamples {
    /// Of the files that are trained on.
    let digest: FileDigest
    let prepared: PreparedData
    let sides: ExampleSides

    /// - Parameters:
    ///   - limits: from when on examples do not lie in memory.
    /// - Throws: ``DataError``, ``ConfigurationError`` where no example is left to train on, ``HubError`` of a dataset's id,
    ///   ``TrainingError`` where it was cancelled.
    init(
        _ configuration: RunConfiguration, _ tokenized: TokenizedModel, _ choice: TemplateChoice,
        limits: PreparationLimits, log: any SessionLog, isCancelled: @escaping () -> Bool
    ) throws {
        let data = configuration.data
        let sources = try RecordSources(
            DatasetReference.located(data.allSources, log: log, isCancelled: isCancelled), seed: UInt64(data.seed),
            unit: data.textUnit)
        digest = try FileDigest(of: sources)
        let objective = configuration.training.objective.kind
        // Records of pairs often hold other shapes beside them.
        let format = data.format == .auto && objective.isOfPairs ? .preference : data.format
        prepared = try PreparedData(
            sources, digest, format: format, configuration, tokenized, choice, limits: limits, log: log,
            isCancelled: isCancelled)
        let answering = DialogueForm(data, choice, shared: prepared.shared).answering
        log.data(prepared.report, path: data.sourceNames, template: answering)
        let evaluation = try Self.evaluation(data, format, prepared.builder, log, isCancelled)
        sides = try ExampleSides(prepared.examples, data, evaluation: evaluation)
    }

    /// The examples of `data.eval_path`, of which only those that evaluations use are kept; `nil` where there is none.
    private static func evaluation(
        _ data: RunConfiguration.Data, _ format: RecordFormat, _ builder: ExampleBuilder, _ log: any SessionLog,
        _ isCancelled: @escaping () -> Bool
    ) throws -> (any ExampleSource)? {
        guard !data.evaluationPaths.isEmpty else { return nil }
        var source = DataSource(
            try DatasetReference.located(data.evaluationPaths, log: log, isCancelled: isCancelled))
        source.isForEvaluation = true
        let sources = try RecordSources([source], seed: 0, unit: data.textUnit)
        let preparation = ExamplePreparation(
            decoder: RecordDecoder(format: format, mapping: data.mapping), builder: builder)
        let prepared = try preparation.outline(of: sources) { _ in
            guard isCancelled() else { return }
            throw TrainingError(.interrupted, "the preparation of the data was interrupted.")
        }
        log.data(try prepared.report(builder, path: sources.place), path: sources.place, template: nil)
        return prepared.examples
    }
}

extension ExampleSides {
    /// - Parameter evaluation: of `data.eval_path`.
    /// - Throws: ``ConfigurationError`` where no example is left to train on.
    fileprivate init(
        _ examples: any ExampleSource, _ data: RunConfiguration.Data, evaluation: (any ExampleSource)?
    ) throws {
        if let evaluation {
            try self.init(
                examples, evaluation: evaluation, limit: data.maxEvaluationSamples, seed: UInt64(data.seed),
                shuffles: data.shuffle)
            return
        }
        try self.init(
            examples, trainFraction: data.trainFraction, limit: data.maxEvaluationSamples, seed: UInt64(data.seed),
            shuffles: data.shuffle)
        guard current.training.count > 0 else {
            throw ConfigurationError(
                .invalid, at: "data.train_fraction",
                "\(data.trainFraction) of \(examples.count) examples leaves none for training.",
                advice: "Give a larger fraction, or more records.")
        }
    }

    /// The split of a run that resumes from a checkpoint.
    func sides(of checkpoint: URL, _ log: any SessionLog) -> Sides {
        let (sides, isFormer) = sides(of: checkpoint)
        if isFormer {
            log.warn(
                "this run was started by a version that could split duplicate examples between training and evaluation. It keeps that split: some of the "
                    + "held-out examples are also trained on")
        }
        return sides
    }
}

extension TrainingSession {
    /// Says how many of the examples that evaluate are trained on, too.
    static func tellLeaks(_ sides: ExampleSides.Sides, _ log: any SessionLog) {
        // Examples built on demand are not compared.
        guard sides.training.hasTokens else { return }
        let hashes = Set(sides.evaluation.map(\.contentHash))
        let known = Set(
            (0..<sides.training.count).lazy.map { sides.training.contentHash(at: $0) }.filter(hashes.contains))
        let leaked = sides.evaluation.filter { known.contains($0.contentHash) }
        guard let first = leaked.first else { return }
        log.warn(
            "\(leaked.count) of \(sides.evaluation.count) examples of `data.eval_path` are also in the training data (the first: "
                + "\(first.place)): their loss does not show how the model does on new data")
    }
}

extension FileDigest {
    /// Bytes of all files, in order.
    init(of sources: RecordSources) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        try self.init(pieces: { take in
            for file in sources.files {
                let bytes = try file.bytes()
                while true {
                    let count = try bytes.read(into: buffer)
                    if count == 0 { break }
                    take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        })
    }
}
