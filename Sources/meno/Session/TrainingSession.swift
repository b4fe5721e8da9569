import Foundation
import Logging
import MenoConfiguration
import MenoData
import MenoMetrics
import MenoModels
import MenoMonitor
import MenoReporting
import MenoTensor
import MenoTokenizers
import MenoTraining

/// A run from its configuration to its final adapter; what `train` and `demo` do.
struct TrainingSession {
    let configuration: RunConfiguration
    let model: LoadedModel
    let template: ChatTemplate?
    private let training: [Example]
    private let evaluation: [Example]
    private let form: SavedForm
    private let dataDigest: FileDigest
    private let folders: RunFolders
    private let log: ConsoleLog

    /// Loads model and data and shows what will be trained on.
    /// - Parameter trains: `false` where nothing is written: a forecast may be made beside a run.
    init(
        _ configuration: RunConfiguration, overwrites: Bool, resumes: Bool = false, trains: Bool = true,
        log: ConsoleLog = ConsoleLog()
    ) throws {
        Interruption.outliveReaders()
        let adapter = try configuration.lora?.initialAdapter.map { try LoRAFiles.settings(in: URL(filePath: $0)) }
        let configuration = try adapter.map(configuration.adopting) ?? configuration
        self.configuration = configuration
        self.log = log
        // Said before minutes of loading; who gets the folder is decided when the run starts.
        if trains { try RunLock.requireFree(URL(filePath: configuration.baseOutputDirectory)) }
        folders = try RunFolders(configuration.baseOutputDirectory, overwrites: overwrites, resumes: resumes)
        let data = configuration.data
        let file = URL(filePath: data.path)
        let contents = try RecordFile.contents(of: file)
        // Of the very bytes that are trained on, whatever becomes of the file.
        dataDigest = FileDigest(of: contents)
        var (records, report) = try RecordFile.read(contents, of: file, format: data.format, onInvalid: data.onInvalid)
        let dtype = configuration.model.dtype.dtype(automatic: configuration.computesInBFloat16 ? .bfloat16 : .float32)
        log.note("loading \(configuration.model.nameOrPath)")
        model = try LoadedModel(
            configuration.model.nameOrPath, dtype: dtype,
            device: configuration.usesNoCUDA ? .cpu : configuration.model.device.device())
        template = try model.template(data.chatTemplate, for: records)
        let examples = try ExampleBuilder(
            tokenizer: model.tokenizer, template: template, maxLength: data.maxLength, lossTarget: data.lossOn,
            lengthPolicy: data.tooLong, invalidPolicy: data.onInvalid
        ).examples(from: records, report: &report)
        records.removeAll()
        log.data(report, path: data.path, template: template)
        let split = Split(
            count: examples.count, trainFraction: data.trainFraction, seed: UInt64(data.seed), shuffles: data.shuffle)
        guard !split.training.isEmpty else {
            throw ConfigurationError(
                place: "data.train_fraction",
                "\(data.trainFraction) of \(examples.count) examples leaves none to train on.",
                advice: "Give a larger fraction, or more records.")
        }
        training = split.training.map { examples[$0] }
        let heldOut = split.heldOut.map { examples[$0] }
        evaluation = BalancedSample.positions(
            of: heldOut, limit: data.maxEvaluationSamples, seed: UInt64(data.seed)
        ).map { heldOut[$0] }
        form = try Self.prepare(model, configuration)
        tellWhatDiffers()
        if log.style == .text, !log.isQuiet, let first = training.first {
            Console.note("\n" + first.preview(model.tokenizer) + "\n")
        }
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
    private static func prepare(_ model: LoadedModel, _ configuration: RunConfiguration) throws -> SavedForm {
        let decoder = model.decoder
        try RandomGenerator.seed(UInt64(configuration.data.seed))
        guard let lora = configuration.lora else {
            guard FileManager.default.fileExists(atPath: model.url.appending(path: "config.json").path) else {
                throw ConfigurationError(
                    place: model.url.path,
                    "`lora: null` trains every weight, which needs a Hugging Face folder to start from.",
                    advice: "A .gguf file can be fine-tuned with LoRA.")
            }
            try decoder.trainAllParameters()
            return .model(source: model.url)
        }
        if let adapter = lora.initialAdapter {
            let settings = try LoRAFiles.attach(URL(filePath: adapter), to: decoder)
            decoder.setTraining(true)
            return .adapter(settings, baseModel: model.name)
        }
        let targets: LoRATargets =
            lora.targetModules == ["all-linear"] ? .allLinear : .names(lora.targetModules)
        var settings = LoRASettings(
            rank: lora.rank, alpha: lora.alpha, dropout: lora.dropout, targets: targets,
            usesRankStabilization: lora.usesRankStabilization)
        settings.usesDoRA = lora.usesDoRA
        settings.layersToTransform = lora.layersToTransform
        settings.rankPattern = lora.rankPattern
        settings.alphaPattern = lora.alphaPattern
        settings.modulesToSave = lora.modulesToSave
        return .adapter(try decoder.attachLoRA(settings), baseModel: model.name)
    }

    /// What a run goes on from.
    enum Resumption {
        case none
        /// The newest whole checkpoint; a new run where there is none.
        case newest
        case from(URL)
    }

    /// Trains and writes the final adapter; an interrupted run leaves a checkpoint to go on from.
    /// - Parameter allowsChanges: whether settings may differ from those of the checkpoint.
    func run(
        observers: [any RunObserver] = [], resumption: Resumption = .none, allowsChanges: Bool = false
    ) throws -> RunOutcome {
        Interruption.install()
        try folders.create()
        let lock = try RunLock(folders.base)
        defer { withExtendedLifetime(lock) {} }
        // Another process may have trained here while this one was loading.
        try folders.check()
        if case .none = resumption { try folders.requireOutside(inputs) }
        let loop = try loop(observers: reporters() + monitorObservers() + observers)
        if let checkpoint = try checkpoint(resumption) {
            try loop.resume(from: checkpoint, allowsChanges: allowsChanges)
            log.note("resumed from \(checkpoint.path)")
        }
        // Not before: a resumption that is refused leaves the settings that the run was made with.
        try folders.write(configuration: provenance + configuration.yaml)
        // Not before everything is there that the new run needs.
        if case .none = resumption { try folders.clear(keeping: inputs) }
        // The report of a long run takes a while: the result does not wait for it.
        defer { writeReport() }
        let outcome = try loop.run(model: model.name)
        model.decoder.setTraining(false)
        if outcome.reason == .interrupted {
            log.note("go on with `meno train … --resume auto`")
        } else {
            try writeResult()
        }
        return outcome
    }

    private func writeResult() throws {
        let result = configuration.lora == nil ? "model" : "adapter"
        do {
            try form.write(model.decoder.trainedValues(), to: folders.model)
        } catch {
            let newest = CheckpointStore(folders.model).newest().url?.lastPathComponent
            throw TrainingError(
                .cannotSave, "the final \(result) cannot be written to \(folders.model.path) (\(error)).",
                advice: newest.map { "Make room there, then go on from \($0) with --resume auto." }
                    ?? "Nothing of the run could be saved.")
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
    func loop(observers: [any RunObserver] = []) throws -> TrainingLoop {
        model.decoder.setTraining(true)
        return try TrainingLoop(
            model: model.decoder, training: training, evaluation: evaluation, arguments: arguments,
            observers: observers,
            saving: RunSaving(
                store: CheckpointStore(folders.model), form: form, settings: configuration.resultSettings),
            logger: Logger(label: "meno") { [log] _ in ConsoleLogHandler(log) },
            shouldStop: { Interruption.isRequested })
    }

    /// Folders that the run reads and that may be its own.
    private var inputs: [URL] { [model.url] + (configuration.lora?.initialAdapter.map { [URL(filePath: $0)] } ?? []) }

    /// With which programs and on what the run was made, as comments.
    private var provenance: String {
        """
        # Meno \(Meno.version), libtorch \(Torch.version), CPU kernels \(Torch.cpuCapability), \(Torch.threadCount) threads
        # data: \(dataDigest.size) bytes, SHA-256 \(dataDigest.sha256)

        """
    }

    /// What tells of the run: on the console, in its files.
    private func reporters() throws -> [any RunObserver] {
        let logs = configuration.report.logDirectory.map { URL(filePath: $0) } ?? folders.layout.logs
        var reporters: [any RunObserver] = [
            MetricsFile(folders.layout.metrics), EventsFile(folders.layout.events),
        ]
        reporters += try log.observers(showsProgress: !configuration.report.hidesProgress, logs: logs)
        if configuration.report.writesTensorBoard { reporters.append(TensorBoardFile(in: logs)) }
        return reporters
    }

    /// What watches the run: a monitor, and before it the one who asks the probe questions.
    private func monitorObservers() throws -> [any RunObserver] {
        let settings = configuration.monitor
        guard settings.isEnabled else { return [] }
        let action: MonitorObserver.AlertAction =
            switch settings.onAlert {
            case .log: .log
            case .stop: .stop
            case .command: .command(AlertCommand(settings.alertCommand ?? "", runFolder: folders.base))
            }
        let stable = CheckpointStore(folders.model, kind: .stable)
        let monitor = try MonitorObserver(
            settings.thresholds, action: action, files: SummaryFiles(folders.progress),
            stableCheckpoints: { Set(stable.steps.map(stable.path)) })
        guard settings.probing == .evaluation, let template else { return [monitor] }
        let prober = Prober(
            model: model, template: template, questions: probeQuestions, maxNewTokens: settings.probeMaxNewTokens,
            maxShare: settings.probeMaxShare, isCancelled: { Interruption.isRequested })
        return [prober, monitor]
    }

    private var probeQuestions: [String] {
        let questions = configuration.monitor.probeQuestions
        guard questions == ["auto"] else { return questions }
        let sample = training.prefix(20).map { model.tokenizer.decode($0.ids, skipSpecialTokens: true) }
        return ProbeQuestions.bundled(for: sample.joined(separator: "\n"))
    }

    private var arguments: TrainingArguments {
        var arguments = configuration.training
        arguments.seed = UInt64(configuration.data.seed)
        arguments.shuffles = configuration.data.shuffle
        return arguments
    }

    private func checkpoint(_ resumption: Resumption) throws -> URL? {
        let store = CheckpointStore(folders.model)
        switch resumption {
        case .none: return nil
        case .from(let url):
            guard FileManager.default.fileExists(atPath: url.path) else {
                throw ConfigurationError(.notFound, place: url.path, "there is no such checkpoint.")
            }
            for folder in [RunLayout(url).model, url] {
                guard let newest = CheckpointStore(folder).progress else { continue }
                throw ConfigurationError(
                    place: url.path, "is a run's folder, and no checkpoint.",
                    advice: "Its checkpoints are \(folder.path)/\(RunLayout.checkpointPrefix)N: give the newest, "
                        + "--resume \(CheckpointStore(folder).url(step: newest.step).path), or --resume auto.")
            }
            return url
        case .newest:
            let (url, faults) = store.newest()
            for fault in faults { log.warn(fault) }
            if url == nil { log.note("no whole checkpoint in \(store.folder.path): the run starts anew") }
            return url
        }
    }
}
