internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoTraining

extension ExampleSides {
    /// - Parameter evaluation: of `data.eval_path`.
    /// - Throws: ``ConfigurationError`` if no example is left to train on.
    init(_ examples: any ExampleSource, _ data: RunConfiguration.Data, evaluation: [Example]? = nil) throws {
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
    /// The examples of `data.eval_path`; `nil` if it is not set.
    /// - Throws: ``DataError``
    static func evaluation(
        _ data: RunConfiguration.Data, _ format: RecordFormat, _ builder: ExampleBuilder, _ log: any SessionLog
    ) throws -> [Example]? {
        guard !data.evaluationPaths.isEmpty else { return nil }
        var source = DataSource(
            try DatasetReference.located(data.evaluationPaths, log: log, isCancelled: { Task.isCancelled }))
        source.isForEvaluation = true
        let sources = try RecordSources([source], seed: 0, unit: data.textUnit)
        let (records, read) = try RecordFile.read(
            sources, format: format, mapping: data.mapping, onInvalid: data.onInvalid)
        var report = read
        let examples = try builder.examples(from: records, report: &report)
        log.data(report, path: sources.place, template: nil)
        return examples
    }

    /// Warns about evaluation examples that are also trained on.
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
