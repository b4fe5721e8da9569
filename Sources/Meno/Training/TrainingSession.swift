internal import Foundation
internal import Logging
internal import MenoConfiguration
internal import MenoData
internal import MenoExport
package import MenoMetrics
internal import MenoModels
internal import MenoMonitor
internal import MenoReporting
internal import MenoTensor
package import MenoTokenizers
package import MenoTraining

/// A run from its configuration to its final adapter, on the thread that makes it: what ``FineTuning`` and the command line
/// use.
package struct TrainingSession {
    package let configuration: RunConfiguration
    package let model: LoadedModel
    package let template: ChatTemplate?
    let examples: ExampleSides.Sides
    let reference: RunReference
    let runModel: RunModel
    /// What tells this run from others, key by key.
    private let resultSettings: [String: String]
    /// `lora.init_adapter`
    let initialAdapter: URL?
    private let form: SavedForm
    private let dialogues: DialogueForm
    private let dataDigest: FileDigest
    let folders: RunFolders
    let log: any SessionLog
    private let resumption: FineTuning.Resumption
    private let allowsChanges: Bool
    /// What the result is exported as.
    private let exports: [ExportForm]
    /// The checkpoint that the run is resumed from.
    private let checkpoint: URL?
    let shouldStop: () -> Bool

    /// Loads model and data and shows what will be trained on.
    /// - Parameters:
    ///   - resumption: what the run will resume from: dialogues are written as they were there.
    ///   - allowsChanges: whether settings may differ from those of the checkpoint.
    ///   - trains: `false` where nothing is written: a forecast may be made beside a run.
    ///   - shouldStop: asked after every step and while evaluating; `true` saves a checkpoint and ends the run there.
    package init(
        _ configuration: RunConfiguration, overwrites: Bool, resumption: FineTuning.Resumption = .none,
        allowsChanges: Bool = false, trains: Bool = true, log: any SessionLog, shouldStop: @escaping () -> Bool
    ) throws {
        MenoRuntime.prepare()
        initialAdapter = try configuration.lora?.initialAdapter.map {
            try ModelReference.locateAdapter($0, log: log, isCancelled: shouldStop)
        }
        let adapter = try initialAdapter.map { try LoRAFiles.settings(in: $0) }
        var configuration = try adapter.map(configuration.adopting) ?? configuration
        self.log = log
        // A form that there is not is refused before anything is trained.
        exports = try configuration.exportAtEnd.map(ExportForm.init)
        self.shouldStop = shouldStop
        // Said before minutes of loading; who gets the folder is decided when the run starts.
        if trains { try RunLock.requireFree(URL(filePath: configuration.baseOutputDirectory)) }
        if case .from(let url) = resumption { try Self.requireCheckpoint(url) }
        folders = try RunFolders(configuration.baseOutputDirectory, overwrites: overwrites, resumption: resumption)
        if trains { try folders.requireWritable() }
        (self.resumption, self.allowsChanges) = (resumption, allowsChanges)
        checkpoint = try Self.checkpoint(resumption, in: folders, log)
        let stored = checkpoint.flatMap(RunSaving.storedSettings)
        runModel = try RunModel(configuration.model.nameOrPath, stored: stored, log: log, isCancelled: shouldStop)
        configuration.model.nameOrPath = runModel.name
        if let adapter = AdapterFolder(runModel.url) { throw adapter.refusal }
        let files = try ModelFiles(runModel.url)
        let device = try configuration.usesNoCUDA ? .cpu : configuration.model.device.device()
        let dtype = configuration.model.dtype.dtype(automatic: configuration.computesInBFloat16 ? .bfloat16 : .float32)
        if device == .cpu, dtype == .bfloat16 {
            try ProductChoice().apply(recorded: checkpoint.flatMap(RunSaving.storedProducts), log: log)
        }
        let form = configuration.weightForm(of: files, dtype: dtype, device: device, stored: stored)
        if configuration.model.quantization == nil { configuration.model.weights = WeightChoice(form) }
        self.configuration = configuration
        let data = configuration.data
        let file = URL(filePath: data.path)
        let contents = try RecordFile.contents(of: file)
        // Of the bytes that are trained on, even if the file changes later.
        dataDigest = FileDigest(of: contents)
        let objective = configuration.training.objective.kind
        // Records of pairs often hold other shapes beside them.
        let format = data.format == .auto && objective.isOfPairs ? .preference : data.format
        var (records, report) = try RecordFile.read(contents, of: file, format: format, onInvalid: data.onInvalid)
        let tokenized = try TokenizedModel(runModel.url, adapter: initialAdapter, log: log)
        for form in exports { try form.requirePossible(for: runModel.url, tokenized, lora: configuration.lora) }
        dialogues = try DialogueForm(data, tokenized, records: records, stored: stored)
        resultSettings = configuration.resultSettings.merging(dialogues.settings) { $1 }
            .merging(runModel.settings) { $1 }
        template = dialogues.answering
        var builder = ExampleBuilder(
            tokenizer: tokenized.tokenizer, template: dialogues.template, maxLength: data.maxLength,
            lossTarget: data.lossOn, lengthPolicy: data.tooLong, invalidPolicy: data.onInvalid,
            variables: data.chatTemplateKwargs)
        builder.unit = objective.unit
        let all = try builder.examples(from: records, report: &report)
        records.removeAll()
        log.data(report, path: data.path, template: template)
        let sides = try ExampleSides(all, data)
        examples = checkpoint.map { sides.sides(of: $0, log) } ?? sides.current
        // What cannot be trained or resumed is refused before minutes of loading.
        try ResumeCheck(
            settings: resultSettings, form: configuration.formToResume,
            arguments: configuration.arguments, training: examples.training, evaluation: examples.evaluation
        ).check(checkpoint, allowsChanges: allowsChanges)
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
            by: model.tokenizerFiles(template))
        if objective != .sft, configuration.training.objective.disablesDropout { model.decoder.disableDropout() }
        reference = try RunReference(
            configuration.training.objective, of: model.decoder, adapter: initialAdapter?.path,
            identity: "\(try RunReference.mark(of: runModel.url.path)) \(model.decoder.precision)"
        ) { [configuration, initialAdapter] source in
            try Self.reference(source, beside: model, configuration, initialAdapter, log)
        }
        tellWhatDiffers()
        if let first = examples.training.first { log.preview { first.preview(model.tokenizer) } }
    }

    /// What transformers would do otherwise with this model.
    private func tellWhatDiffers() {
        let decoder = model.decoder.configuration
        if decoder.attentionDropout > 0 {
            log.warn(
                "the model's \"attention_dropout\": \(decoder.attentionDropout) is not applied: Trainer would drop that share "
                    + "of its attention weights in training")
        }
        if decoder.isTextPart, configuration.lora == nil {
            log.note(
                "the model is multimodal: what is saved is its text model, as a model of its own (\(decoder.modelType))"
            )
        }
    }

    /// Attaches the adapter that is trained, or makes every weight trained.
    private static func prepare(
        _ model: LoadedModel, _ configuration: RunConfiguration, _ runModel: RunModel, _ initialAdapter: URL?,
        _ log: any SessionLog
    ) throws -> SavedForm {
        let adapter = { (settings: LoRASettings) in
            SavedForm.adapter(
                settings, baseModel: model.reference, revision: runModel.revision(of: model.reference))
        }
        let decoder = model.decoder
        guard let lora = configuration.lora else {
            try RandomGenerator.seed(UInt64(configuration.data.seed))
            guard FileManager.default.fileExists(atPath: model.url.appending(path: "config.json").path) else {
                throw ConfigurationError(
                    .invalid, at: model.url.path,
                    "`lora: null` trains every weight, which needs a Hugging Face folder to start from.",
                    advice: "A .gguf file can be fine-tuned with LoRA.")
            }
            try decoder.trainAllParameters()
            return .model(source: model.url)
        }
        if let initialAdapter {
            try RandomGenerator.seed(UInt64(configuration.data.seed))
            let settings = try LoRAFiles.attach(
                initialAdapter, to: decoder, forTraining: true, warn: { log.warn($0) })
            return adapter(settings)
        }
        let settings = try SharedGenerator.exclusively {
            try RandomGenerator.seed(UInt64(configuration.data.seed))
            return try decoder.attachLoRA(lora.settings)
        }
        noteFrozenExperts(decoder, log)
        return adapter(settings)
    }

    private static func noteFrozenExperts(_ decoder: Decoder, _ log: any SessionLog) {
        let share = decoder.frozenExpertShare
        guard share > 0 else { return }
        log.note(
            "\(Int((100 * share).rounded())) % of the model's weights belong to experts that are not adapted. To adapt them, set "
                + "lora.lora_dropout: 0 and lora.target_parameters: [experts.gate_up_proj, experts.down_proj], or "
                + "lora.target_modules: all-linear")
    }

    /// Trains and writes the final adapter; an interrupted run leaves a checkpoint to resume from.
    package func run(observers: [any RunObserver] = []) throws -> RunOutcome {
        try folders.create()
        let lock = try RunLock(folders.base)
        defer { withExtendedLifetime(lock) {} }
        // Another process may have trained here while this one was loading.
        try folders.check()
        folders.removeRemains()
        if case .newest = resumption { try folders.requireNewest(checkpoint) }
        if case .none = resumption { try folders.requireOutside(inputs) }
        let monitor = try monitorObserver()
        let loop = try loop(
            of: try scored(),
            observers: reporters() + (monitor.map { [$0] } ?? []) + observers,
            policies: monitor.map { [$0.policy] } ?? [])
        if let checkpoint {
            try loop.resume(from: checkpoint, allowsChanges: allowsChanges)
            log.note("resumed from \(checkpoint.path)")
        }
        // Not before: a resumption that is refused leaves the settings that the run was made with.
        try folders.write(configuration: provenance + lastingConfiguration.yaml)
        // Not before everything is there that the new run needs.
        if case .none = resumption { try folders.clear(keeping: inputs) }
        // The report of a long run takes a while: the result does not wait for it.
        defer { writeReport() }
        let outcome = try loop.run(model: model.name)
        if outcome.reason != .interrupted {
            try writeResult()
            try exportResult()
        }
        return outcome
    }

    /// Exports the result in every form that was asked for; one that fails stops no other.
    private func exportResult() throws {
        var failure: (any Error)?
        for form in exports {
            do {
                try export(form)
            } catch {
                if failure != nil { log.warn("\(form) was not exported: \(error)") }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Exports the result into `exports` of the run's folder, beside what is there.
    private func export(_ form: ExportForm) throws {
        let place = folders.base.appending(path: "exports")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let isFile = form.format == .gguf || form.format == .ggufLoRA
        let name = form.description.replacing(":", with: "-")
        let names = [name] + (2...).prefix(10_000).map { "\(name)-\($0)" }
        let free = names.map { place.appending(path: isFile ? $0 + ".gguf" : $0) }.first {
            !FileManager.default.fileExists(atPath: $0.path)
        }
        guard let target = free else { return }
        let isAdapter = configuration.lora != nil
        let exporter = ModelExporter(
            model: isAdapter ? runModel.place : folders.model.path,
            adapter: isAdapter ? folders.model.path : nil, form: form, target: target, log: log)
        try exporter.run()
        log.note("the export is in \(target.path)")
    }

    private func writeResult() throws {
        let result = configuration.lora == nil ? "model" : "adapter"
        do {
            try form.write(model.decoder.trainedValues(), to: folders.model)
        } catch {
            let newest = CheckpointStore(folders.model).newest().url?.lastPathComponent
            throw TrainingError(
                .cannotSave, "the final \(result) cannot be written to \(folders.model.path) (\(error)).",
                advice: newest.map { "Make room there, then resume from \($0)." }
                    ?? "Nothing of the run could be saved.",
                settings: newest == nil ? [] : [.resumption])
        }
        log.note("the final \(result) is in \(folders.model.path)")
    }

    /// Writes the report, from what observers have recorded.
    private func writeReport() {
        do {
            let run = try RunRecord(folders.base, thresholds: configuration.monitor.thresholds)
            let title = configuration.runName ?? folders.base.lastPathComponent
            try Report(run, title: title, language: configuration.report.language.chosen).write(to: folders.progress)
        } catch {
            log.warn("the report could not be written: \(error)")
        }
    }

    /// The loop of this run, ready to start; nothing is written before it does.
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
            observers: observers, policies: policies, stages: evaluationStages,
            saving: RunSaving(
                store: CheckpointStore(folders.model), form: form,
                settings: resultSettings),
            processes: ProcessGroup(), logger: Logger(label: "meno") { [log] _ in RunLogHandler(log) },
            shouldStop: shouldStop)
    }

    /// Folders that the run reads and that may be its own.
    private var inputs: [URL] { [model.url] + (initialAdapter.map { [$0] } ?? []) }

    /// The configuration by which the same run can be made later.
    private var lastingConfiguration: RunConfiguration {
        var configuration = configuration
        configuration.model.nameOrPath = runModel.lastingName
        return configuration
    }

    /// With which programs and on what the run was made, as comments.
    private var provenance: String {
        """
        # Meno \(MenoRuntime.version), libtorch \(Torch.version), CPU kernels \(Torch.cpuCapability), \(Torch.threadCount) threads
        # data: \(dataDigest.size) bytes, SHA-256 \(dataDigest.sha256)

        """
    }

    /// What reports the run: in its files, and wherever the session's log wants it.
    private func reporters() throws -> [any RunObserver] {
        let logs = configuration.report.logDirectory.map { URL(filePath: $0) } ?? folders.layout.logs
        var reporters: [any RunObserver] = [
            MetricsFile(folders.layout.metrics), EventsFile(folders.layout.events),
        ]
        let file = try logFile(in: logs)
        reporters.append(ConsoleReporter { file.write($0) })
        reporters += log.observers(showsProgress: !configuration.report.hidesProgress)
        if configuration.report.writesTensorBoard { reporters.append(TensorBoardFile(in: logs)) }
        return reporters
    }

    private func logFile(in folder: URL) throws -> LogFile {
        do {
            return try LogFile(in: folder)
        } catch {
            throw ConfigurationError(
                .invalid, at: folder.path, "the log cannot be written there (\(error.localizedDescription)).",
                advice: "Choose a folder that you may write to.", settings: [.loggingDirectory])
        }
    }

    private func monitorObserver() throws -> MonitorObserver? {
        let settings = configuration.monitor
        guard settings.isEnabled else { return nil }
        let action: MonitorPolicy.AlertAction =
            switch settings.onAlert {
            case .log: .log
            case .stop: .stop
            case .command: .command(AlertCommand(settings.alertCommand ?? "", runFolder: folders.base))
            }
        let stable = CheckpointStore(folders.model, kind: .stable)
        return try MonitorObserver(
            settings.thresholds, action: action, files: SummaryFiles(folders.progress),
            stableCheckpoints: { Set(stable.steps.map(stable.path)) })
    }

    /// Probe questions, if they are asked.
    private var evaluationStages: [any EvaluationStage] {
        let settings = configuration.monitor
        guard settings.isEnabled, settings.probing == .evaluation, let template else { return [] }
        return [
            Prober(
                model: model, template: template, opening: dialogues.opening, questions: probeQuestions,
                maxNewTokens: settings.probeMaxNewTokens, maxShare: settings.probeMaxShare,
                isCancelled: shouldStop)
        ]
    }

    var probeQuestions: [String] {
        let questions = configuration.monitor.probeQuestions
        guard questions == ["auto"] else { return questions }
        let sample = examples.training.prefix(20).map {
            model.tokenizer.decode($0.ids, skipSpecialTokens: true)
        }
        return ProbeQuestions.bundled(for: sample.joined(separator: "\n"))
    }

    /// - Throws: ``ConfigurationError`` where a folder is not there, or is a run's own.
    private static func requireCheckpoint(_ url: URL) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw ConfigurationError(.notFound, at: url.path, "there is no such checkpoint.")
        }
        for folder in [RunLayout(url).model, url] {
            guard let newest = CheckpointStore(folder).progress else { continue }
            throw ConfigurationError(
                .invalid, at: url.path, "is a run's folder, and no checkpoint.",
                advice: "Its checkpoints are \(folder.path)/\(RunLayout.checkpointPrefix)N: give the newest, "
                    + "--resume \(CheckpointStore(folder).url(step: newest.step).path), or --resume auto.")
        }
    }

    private static func checkpoint(
        _ resumption: FineTuning.Resumption, in folders: RunFolders, _ log: any SessionLog
    ) throws -> URL? {
        let store = CheckpointStore(folders.model)
        switch resumption {
        case .none: return nil
        case .from(let url): return url
        case .newest:
            let (url, faults) = store.newest()
            for fault in faults { log.warn(fault) }
            if url == nil {
                try folders.requireNoResult(faults)
                log.note("no whole checkpoint in \(store.folder.path): the run starts from scratch")
            }
            return url
        }
    }
}

extension RunConfiguration.Model {
    /// What `bnb_4bit_compute_dtype` says.
    fileprivate var computeType: DType? { fourBitComputeType == .auto ? nil : fourBitComputeType.dtype() }
}

extension RunConfiguration {
    fileprivate var arguments: TrainingArguments {
        var arguments = training
        arguments.seed = UInt64(data.seed)
        arguments.shuffles = data.shuffle
        // exp of a loss of preferences is no perplexity.
        if arguments.objective.kind != .sft, arguments.bestMetric == .perplexity { arguments.bestMetric = .loss }
        return arguments
    }

    /// How frozen weights are held: as in the checkpoint that is resumed from, where that is left open.
    /// - Parameter stored: the settings of that checkpoint.
    fileprivate func weightForm(
        of files: ModelFiles, dtype: DType, device: Device, stored: [String: String]?
    ) -> WeightForm {
        if model.weights == .auto, let stored {
            return stored[ConfigurationKey.weightsPath].flatMap(WeightForm.init) ?? .dense
        }
        return model.weights.form(of: files, dtype: dtype, device: device)
    }

    /// What a run trains, as far as the configuration tells.
    fileprivate var formToResume: SavedForm {
        lora.map { .adapter($0.settings, baseModel: model.nameOrPath) }
            ?? .model(source: URL(filePath: model.nameOrPath))
    }
}
