internal import Foundation
internal import MenoConfiguration
package import MenoData
internal import MenoTraining

/// The examples of a run. Small data stays in memory; large data is prepared in the user's cache,
/// or built on demand if nothing about all examples must be known before the first step.
struct PreparedData {
    let examples: any ExampleSource
    let report: DataReport
    /// What all dialogues have in common; `nil` if nothing.
    let shared: SharedContext?
    /// What the records are like.
    let summary: DataSummary
    /// What makes the examples.
    let builder: ExampleBuilder

    /// - Parameter digest: of the source files.
    init(
        _ sources: RecordSources, _ digest: FileDigest, format: RecordFormat, _ configuration: RunConfiguration,
        _ tokenized: TokenizedModel, _ choice: TemplateChoice, limits: PreparationLimits, log: any SessionLog,
        isCancelled: @escaping () -> Bool
    ) throws {
        var preparation = ExamplePreparation(configuration, format: format, tokenized, choice)
        preparation.pass.workers = limits.workers
        builder = preparation.builder
        let work = Work(preparation: preparation, sources: sources, digest: digest, limits: limits, log: log)
        let prepared = try work.prepare(configuration, isCancelled)
        (examples, shared, summary) = (prepared.examples, prepared.findings.shared, prepared.findings.summary)
        report = try prepared.report(builder, path: sources.place)
    }

    private struct Work {
        let preparation: ExamplePreparation
        let sources: RecordSources
        let digest: FileDigest
        let limits: PreparationLimits
        let log: any SessionLog

        func prepare(_ configuration: RunConfiguration, _ isCancelled: @escaping () -> Bool) throws -> PreparedExamples
        {
            guard digest.size > limits.inMemory else {
                // This takes seconds at most, so an interrupted run still gets a checkpoint to
                // resume from.
                return try preparation.examples(of: sources.records()) { _ in }
            }
            var reason = ""
            if digest.size > limits.ahead {
                if let first = configuration.reasonsToPrepareAll.first {
                    reason = ": \(first)"
                } else if let prepared = try onDemand(isCancelled) {
                    return prepared
                }
            }
            return try onDisk(reason, isCancelled)
        }

        private func onDisk(_ reason: String, _ isCancelled: @escaping () -> Bool) throws -> PreparedExamples {
            let calls = calls("preparing the examples of \(sources.place)\(reason)", isCancelled)
            let store = try preparation.store(
                in: limits.cache, key: preparation.key(of: digest, sources), reader: sources.records,
                onWait: calls.wait, onStart: calls.start, onProgress: calls.progress)
            log.note("\(store.count) examples are stored in \(limits.cache.folder.path)")
            return PreparedExamples(examples: store, findings: store.summary.findings)
        }

        /// `nil` where the files do not allow it.
        private func onDemand(_ isCancelled: @escaping () -> Bool) throws -> PreparedExamples? {
            guard sources.files.count == 1, let file = sources.files.first else { return nil }
            do {
                let calls = calls("reading through \(sources.place)", isCancelled)
                let index = try preparation.index(
                    in: limits.cache, key: preparation.indexKey(of: digest, sources), reader: sources.records,
                    onWait: calls.wait, onStart: calls.start, onProgress: calls.progress)
                log.note("\(index.count) records; examples are built as they are needed")
                return PreparedExamples(
                    examples: try ExamplesOnDemand(index, path: file.path, preparation),
                    findings: index.summary.findings)
            } catch is ExamplePreparation.NoPlaces {
                return nil
            }
        }

        private typealias Calls = (
            wait: () throws -> Void, start: (Int) -> Void, progress: (ExamplePreparation.Progress) throws -> Void
        )

        /// Log progress while data is prepared. Throws when the run is cancelled.
        private func calls(_ what: String, _ isCancelled: @escaping () -> Bool) -> Calls {
            let tell = { (text: String) in
                log.progress(text)
                guard isCancelled() else { return }
                throw TrainingError(.interrupted, "the preparation of the data was interrupted.")
            }
            return (
                wait: { try tell("another process prepares the same data") },
                start: { done in log.note(what + (done > 0 ? "; \(done) records were done before" : "")) },
                progress: { try tell("\($0.records) records, \($0.bytes >> 20) MiB") }
            )
        }
    }
}

/// The limits above which examples are not kept in memory.
package struct PreparationLimits: Sendable {
    /// Up to this many bytes of data, examples are kept in memory.
    package var inMemory = 16 << 20
    /// Above this many bytes, examples are built just ahead of use, if possible.
    package var ahead = 64 << 20
    /// How many work on data at the same time, which changes no result.
    package var workers = ProcessInfo.processInfo.activeProcessorCount
    package var cache = ExampleCache(
        CatalogModel.cache.appending(path: "examples", directoryHint: .isDirectory), limit: Self.cacheLimit)

    package init() {}

    /// 64 GiB, or the size in GiB set by the user.
    private static var cacheLimit: Int {
        let chosen = ProcessInfo.processInfo.environment["MENO_EXAMPLE_CACHE_GIB"].flatMap(Double.init)
        return Int(max(0, min(chosen ?? 64, 1e6)) * Double(1 << 30))
    }
}

extension ExamplePreparation {
    init(
        _ configuration: RunConfiguration, format: RecordFormat, _ tokenized: TokenizedModel, _ choice: TemplateChoice
    ) {
        let data = configuration.data
        var builder = ExampleBuilder(
            tokenizer: tokenized.tokenizer, template: choice.template, maxLength: data.maxLength,
            lossTarget: data.lossOn, lengthPolicy: data.tooLong, invalidPolicy: data.onInvalid,
            variables: data.chatTemplateKwargs)
        builder.unit = configuration.training.objective.kind.unit
        builder.templateFault = choice.fault
        builder.keepsTextsWhole = data.textBlocks
        self.init(decoder: RecordDecoder(format: format, mapping: data.mapping), builder: builder)
        pass.dropsDuplicates = data.dropsDuplicates
        if data.textBlocks {
            blocks = BlockBuilder(
                length: data.maxLength, overlap: data.blockOverlap, bosID: tokenized.tokenizer.bosID)
        }
    }

    /// A cache key of everything that affects the examples.
    fileprivate func key(of digest: FileDigest, _ sources: RecordSources) -> String {
        name([digest.sha256, sources.identity] + identity)
    }

    /// A cache key of everything that affects where records are and which ones are usable.
    fileprivate func indexKey(of digest: FileDigest, _ sources: RecordSources) -> String {
        name([digest.sha256, sources.identity, indexIdentity])
    }

    private func name(_ parts: [String]) -> String {
        FileDigest(of: Data(parts.joined(separator: "\n").utf8)).sha256
    }
}

extension RunConfiguration {
    /// Why every example, above all its length, must be known before the first step.
    fileprivate var reasonsToPrepareAll: [String] {
        let reasons: [(holds: Bool, reason: String)] = [
            (
                data.evaluationPaths.isEmpty && data.trainFraction < 1,
                "data.train_fraction chooses held-out examples by length and source"
            ),
            (data.tooLong != .truncate, "data.too_long leaves out examples by length"),
            (data.lossOn != .all, "data.loss_on leaves out examples whose answer is cut"),
            (data.dropsDuplicates, "data.drop_duplicates compares all records"),
            (!data.sources.isEmpty, "data.sources mixes several sources"),
            (data.textBlocks, "data.text_blocks cuts the texts, in order, into blocks"),
            (data.packing != .none, "data.packing combines examples by length"),
            (training.groupsByLength, "training.group_by_length sorts examples by length"),
            (training.objective.kind != .sft, "training.objective uses only records that are pairs or judged"),
        ]
        return reasons.filter(\.holds).map(\.reason)
    }
}
