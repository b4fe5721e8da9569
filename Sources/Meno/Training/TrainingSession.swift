internal import Foundation
internal import Logging
internal import MenoConfiguration
internal import MenoData
internal import MenoExport
package import MenoMetrics
internal import MenoModels
internal import MenoMonitor
internal import MenoReporting
package import MenoTensor
package import MenoTokenizers
internal import MenoTracking
package import MenoTraining

/// A run from its configuration to its final adapter, on the calling thread; used by ``FineTuning``
/// and the command line.
package struct TrainingSession {
    package let configuration: RunConfiguration
    package let model: LoadedModel
    package let template: ChatTemplate?
    let examples: ExampleSides.Sides
    let reference: RunReference
    let runModel: RunModel
    /// The settings that affect the result, by key.
    private let resultSettings: [String: String]
    /// `lora.init_adapter`
    let initialAdapter: URL?
    private let runAdapter: RunAdapter?
    let form: SavedForm
    let dialogues: DialogueForm
    /// The outcome of reading the data.
    let dataReport: DataReport
    /// What the records are like.
    let dataSummary: DataSummary
    private let dataDigest: FileDigest
    let folders: RunFolders
    let log: any SessionLog
    private let resumption: FineTuning.Resumption
    private let allowsChanges: Bool
    /// The forms to export the result in.
    let exports: [ExportForm]
    /// The server that the run is sent to.
    let mlflow: MLflowSettings?
    /// The checkpoint to resume from.
    private let checkpoint: URL?
    let shouldStop: () -> Bool
    /// The processes that train together. Only rank 0 writes files and reports what happens.
    let processes: ProcessGroup

    /// Loads model and data and shows a sample of the training data.
    /// - Parameters:
    ///   - resumption: what the run will resume from; dialogues are rendered as they were there.
    ///   - allowsChanges: whether settings may differ from those of the checkpoint.
    ///   - trains: `false` if nothing is written, so that a forecast can be made while a run uses the
    ///     folder.
    ///   - limits: the limits above which examples are not kept in memory.
    ///   - processes: the processes that make this run together; each creates a session.
    ///   - shouldStop: called after every step and during evaluations; return `true` to save a
    ///     checkpoint and end the run there.
    package init(
        _ configuration: RunConfiguration, overwrites: Bool, resumption: FineTuning.Resumption = .none,
        allowsChanges: Bool = false, trains: Bool = true, limits: PreparationLimits = PreparationLimits(),
        log: any SessionLog, processes: ProcessGroup = ProcessGroup(), shouldStop: @escaping () -> Bool
    ) throws {
        MenoRuntime.prepare()
        self.processes = processes
        let log: any SessionLog = processes.isFirst ? log : RankLog(log, rank: processes.rank)
        // Rank 0 downloads, and the other ranks find the files in the cache.
        let inTurn = Agreement(processes)
        self.log = log
        // An unknown export form is rejected before anything is trained.
        exports = try configuration.exportAtEnd.map(ExportForm.init)
        mlflow = trains && processes.isFirst ? try configuration.report.mlflowSettings() : nil
        self.shouldStop = shouldStop
        // Checked before minutes of loading. Which process gets the folder is decided when the run
        // starts.
        if trains { try RunLock.requireFree(URL(filePath: configuration.baseOutputDirectory)) }
        if case .from(let url) = resumption { try Self.requireCheckpoint(url) }
        folders = try RunFolders(configuration.baseOutputDirectory, overwrites: overwrites, resumption: resumption)
        if trains, processes.isFirst { try folders.requireWritable() }
        (self.resumption, self.allowsChanges) = (resumption, allowsChanges)
        checkpoint = try Self.checkpoint(resumption, in: folders, log)
        let saved = checkpoint.flatMap(RunSaving.stored)
        let stored = saved?.settings
        runAdapter = try inTurn.inTurn {
            try RunAdapter(configuration.lora?.initialAdapter, stored: stored, log: log, isCancelled: shouldStop)
        }
        initialAdapter = runAdapter?.url
        let adapter = try initialAdapter.map { try LoRAFiles.settings(in: $0) }
        var configuration = try adapter.map(configuration.adopting) ?? configuration
        if let runAdapter { configuration.lora?.initialAdapter = runAdapter.name }
        let name = configuration.model.nameOrPath
        runModel = try inTurn.inTurn { try RunModel(name, stored: stored, log: log, isCancelled: shouldStop) }
        configuration.model.nameOrPath = runModel.name
        if let adapter = AdapterFolder(runModel.url) { throw adapter.refusal }
        let files = try ModelFiles(runModel.url)
        let device = try Self.device(configuration, processes)
        let dtype = configuration.model.dtype.dtype(automatic: configuration.computesInBFloat16 ? .bfloat16 : .float32)
        try Self.settle(processes) {
            if device == .cpu, dtype == .bfloat16 { try ProductChoice().apply(recorded: saved?.products, log: log) }
        }
        let form = configuration.weightForm(of: files, dtype: dtype, device: device, stored: stored)
        if configuration.model.quantization == nil { configuration.model.weights = WeightChoice(form) }
        self.configuration = configuration
        let data = configuration.data
        let objective = configuration.training.objective.kind
        let tokenized = try TokenizedModel(runModel.url, adapter: initialAdapter, log: log)
        for form in exports { try form.requirePossible(for: runModel.url, tokenized, lora: configuration.lora) }
        let choice = TemplateChoice(data, tokenized, stored: stored)
        let found = try TrainingExamples(
            configuration, tokenized, choice, limits: limits, log: log, isCancelled: shouldStop)
        (dataDigest, dataReport, dataSummary) = (found.digest, found.prepared.report, found.prepared.summary)
        dialogues = DialogueForm(data, choice, shared: found.prepared.shared)
        resultSettings = configuration.resultSettings.merging(dialogues.settings) { $1 }
            .merging(runModel.settings) { $1 }.merging(runAdapter?.settings ?? [:]) { $1 }
        template = dialogues.answering
        examples = checkpoint.map { found.sides.sides(of: $0, log) } ?? found.sides.current
        if !data.evaluationPaths.isEmpty { Self.tellLeaks(examples, log) }
        // What cannot be trained or resumed is rejected before minutes of loading.
        try ResumeCheck(
            settings: resultSettings, form: configuration.formToResume,
            arguments: configuration.arguments, training: examples.training, evaluation: examples.evaluation
        ).check(checkpoint, allowsChanges: allowsChanges)
        let rows = files.configuration.vocabularySize
        let companions = Deferred { [tokenizer = tokenized.tokenizer, url = tokenized.url, template] in
            try TokenizerFiles(of: url, tokenizer: tokenizer, template: template, rows: rows).contents
        }
        log.note("loading \(configuration.model.nameOrPath)")
        let clock = ContinuousClock()
        let start = clock.now
        let model = try LoadedModel(
            configuration.model.nameOrPath, files, tokenized, dtype: dtype, form: form,
            quantization: configuration.model.quantization, computeType: configuration.model.computeType,
            device: device, log: log)
        let seconds = String(format: "%.2f", (clock.now - start) / .seconds(1))
        log.note("loaded in \(seconds) s: \((model.decoder.weightBytes + (1 << 19)) >> 20) MiB of weights")
        self.model = model
        self.form = try Self.prepare(model, configuration, runModel, initialAdapter, log).accompanied(
            by: companions.value())
        if objective != .sft, configuration.training.objective.disablesDropout { model.decoder.disableDropout() }
        reference = try RunReference(
            configuration.training.objective, of: model.decoder, adapter: initialAdapter?.path,
            identity: "\(try RunReference.mark(of: runModel.url.path)) \(model.decoder.precision)"
        ) { [configuration, initialAdapter] source in
            try Self.reference(source, beside: model, configuration, initialAdapter, log)
        }
        tellWhatDiffers()
        if let first = try examples.training.beginning(1).first { log.preview { first.preview(model.tokenizer) } }
    }

    /// Warns where transformers would treat this model differently.
    private func tellWhatDiffers() {
        let decoder = model.decoder.configuration
        if decoder.attentionDropout > 0 {
            log.warn(
                "the model's \"attention_dropout\": \(decoder.attentionDropout) is not applied; Trainer would drop that share "
                    + "of the attention weights in training")
        }
        if decoder.isTextPart, configuration.lora == nil {
            log.note(
                "the model is multimodal: only its text model is saved, as a \(decoder.modelType) model"
            )
        }
    }

    /// Trains and writes the final adapter. An interrupted run leaves a checkpoint to resume from.
    package func run(observers: [any RunObserver] = []) throws -> RunOutcome {
        // No process writes before all have read the folder.
        try checkWorld(settings: resultSettings, data: dataDigest.sha256, checkpoint: checkpoint)
        guard processes.isFirst else { return try follow() }
        try folders.create()
        let lock = try RunLock(folders.base)
        defer { withExtendedLifetime(lock) {} }
        // Another process may have trained here while this one was loading.
        try folders.check()
        folders.removeRemains()
        if case .newest = resumption { try folders.requireNewest(checkpoint) }
        if case .none = resumption { try folders.requireOutside(inputs) }
        let monitor = try monitorObserver()
        let tracker = tracker()
        let requests = RequestPolicy(folders.base)
        let loop = try loop(
            of: try scored(),
            observers: reporters() + (monitor.map { [$0] } ?? []) + (tracker.map { [$0] } ?? []) + observers,
            policies: (monitor.map { [$0.policy] } ?? []) + (tracker.map { [$0] } ?? []) + [requests])
        if let checkpoint {
            try loop.resume(from: checkpoint, allowsChanges: allowsChanges)
            log.note("resumed from \(checkpoint.path)")
        }
        // Not earlier: a rejected resume must leave the settings of the original run in place.
        try folders.write(configuration: provenance + lastingConfiguration.yaml)
        // Not earlier: the new run must have everything it needs first.
        if case .none = resumption { try folders.clear(keeping: inputs) }
        writeDataSummary()
        // The report of a long run takes a while, so it is written after the result.
        defer { writeReport() }
        let outcome = try loop.run(model: model.name)
        // The other processes need not wait for the files written from here on.
        try processes.finish()
        if outcome.reason != .interrupted {
            try writeResult()
            try exportResult()
        }
        return outcome
    }

    /// Trains beside the process that writes the files.
    private func follow() throws -> RunOutcome {
        let loop = try loop(of: try scored(), observers: log.observers(showsProgress: false), policies: [])
        if let checkpoint { try loop.resume(from: checkpoint, allowsChanges: allowsChanges) }
        let outcome = try loop.run(model: model.name)
        try processes.finish()
        return outcome
    }

    /// The training loop, ready to start. Nothing is written before it starts.
    package func loop(observers: [any RunObserver] = [], policies: [any RunPolicy] = []) throws -> TrainingLoop {
        try loop(of: examples, observers: observers, policies: policies)
    }

    private func loop(
        of examples: ExampleSides.Sides, observers: [any RunObserver], policies: [any RunPolicy]
    ) throws -> TrainingLoop {
        let arguments = configuration.arguments
        return try TrainingLoop(
            model: model.decoder, training: examples.training, evaluation: examples.evaluation,
            arguments: arguments,
            objective: try arguments.objective.objective(
                labelSmoothing: arguments.labelSmoothing, reference: reference.model),
            observers: observers, policies: policies, stages: processes.isFirst ? evaluationStages : [],
            saving: RunSaving(
                store: CheckpointStore(folders.model), form: form,
                settings: resultSettings),
            processes: processes, logger: Logger(label: "meno") { [log] _ in RunLogHandler(log) },
            shouldStop: shouldStop)
    }

    /// Folders that the run reads and that may lie in its folder.
    private var inputs: [URL] { [model.url] + (initialAdapter.map { [$0] } ?? []) }

    /// A configuration that reproduces this run later.
    private var lastingConfiguration: RunConfiguration {
        var configuration = configuration
        configuration.model.nameOrPath = runModel.lastingName
        if let runAdapter { configuration.lora?.initialAdapter = runAdapter.lastingName }
        return configuration
    }

    /// The programs and hardware of the run, as comments.
    private var provenance: String {
        """
        # Meno \(MenoRuntime.version), libtorch \(Torch.version), CPU kernels \(Torch.cpuCapability), \(Torch.threadCount) threads
        # data: \(dataDigest.size) bytes, SHA-256 \(dataDigest.sha256)

        """
    }
}

extension RunConfiguration.Model {
    /// The setting `bnb_4bit_compute_dtype`.
    fileprivate var computeType: DType? { fourBitComputeType == .auto ? nil : fourBitComputeType.dtype() }
}

extension RunConfiguration {
    fileprivate var arguments: TrainingArguments {
        var arguments = training
        arguments.seed = UInt64(data.seed)
        arguments.shuffles = data.shuffle
        arguments.packedTokens = data.packing == .bestFit ? data.maxLength : nil
        // The exponential of a preference loss is not a perplexity.
        if arguments.objective.kind != .sft, arguments.bestMetric == .perplexity { arguments.bestMetric = .loss }
        return arguments
    }

    /// How frozen weights are held: as in the checkpoint to resume from, unless configured.
    /// - Parameter stored: the settings of that checkpoint.
    fileprivate func weightForm(
        of files: ModelFiles, dtype: DType, device: Device, stored: [String: String]?
    ) -> WeightForm {
        if model.weights == .auto, let stored {
            return stored[ConfigurationKey.weightsPath].flatMap(WeightForm.init) ?? .dense
        }
        return model.weights.form(of: files, dtype: dtype, device: device)
    }

    /// What a run trains, as far as the configuration says.
    fileprivate var formToResume: SavedForm {
        lora.map { .adapter($0.settings, baseModel: model.nameOrPath) }
            ?? .model(source: URL(filePath: model.nameOrPath))
    }
}
