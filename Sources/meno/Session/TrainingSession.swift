import Foundation
import MenoConfiguration
import MenoData
import MenoMetrics
import MenoModels
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
    private let settings: LoRASettings?
    private let folders: RunFolders

    /// Loads model and data and shows what will be trained on.
    init(_ configuration: RunConfiguration, overwrites: Bool) throws {
        self.configuration = configuration
        folders = try RunFolders(configuration.baseOutputDirectory, overwrites: overwrites)
        let data = configuration.data
        var (records, report) = try RecordFile.read(
            URL(filePath: data.path), format: data.format, onInvalid: data.onInvalid)
        let dtype = configuration.model.dtype.dtype(automatic: configuration.computesInBFloat16 ? .bfloat16 : .float32)
        Console.note("loading \(configuration.model.nameOrPath)")
        model = try LoadedModel(
            configuration.model.nameOrPath, dtype: dtype, device: configuration.model.device.device())
        template = try model.template(data.chatTemplate, for: records)
        let examples = try ExampleBuilder(
            tokenizer: model.tokenizer, template: template, maxLength: data.maxLength, lossTarget: data.lossOn,
            lengthPolicy: data.tooLong
        ).examples(from: records, report: &report)
        records.removeAll()
        Console.data(report, path: data.path)
        let split = Split(
            count: examples.count, trainFraction: data.trainFraction, seed: UInt64(data.seed), shuffles: data.shuffle)
        training = split.training.map { examples[$0] }
        let heldOut = split.heldOut.map { examples[$0] }
        evaluation = BalancedSample.positions(
            of: heldOut, limit: data.maxEvaluationSamples, seed: UInt64(data.seed)
        ).map { heldOut[$0] }
        settings = try Self.prepare(model.decoder, configuration, url: model.url)
        if let first = training.first { Console.note("\n" + first.preview(model.tokenizer) + "\n") }
    }

    /// Attaches the adapter that is trained, or makes every weight trained.
    private static func prepare(
        _ decoder: Decoder, _ configuration: RunConfiguration, url: URL
    ) throws -> LoRASettings? {
        try RandomGenerator.seed(UInt64(configuration.data.seed))
        guard let lora = configuration.lora else {
            guard FileManager.default.fileExists(atPath: url.appending(path: "config.json").path) else {
                throw ConfigurationError(
                    place: url.path,
                    "`lora: null` trains every weight, which needs a Hugging Face folder to start from.",
                    advice: "A .gguf file can be fine-tuned with LoRA.")
            }
            try decoder.trainAllParameters()
            return nil
        }
        if let adapter = lora.initialAdapter {
            let settings = try LoRAFiles.attach(URL(filePath: adapter), to: decoder)
            decoder.setTraining(true)
            return settings
        }
        let targets: LoRATargets =
            lora.targetModules == ["all-linear"] ? .allLinear : .names(lora.targetModules)
        let settings = LoRASettings(
            rank: lora.rank, alpha: lora.alpha, dropout: lora.dropout, targets: targets,
            usesRankStabilisation: lora.usesRankStabilisation)
        try decoder.attachLoRA(settings)
        return settings
    }

    /// Trains and writes the final adapter; an interrupted run writes what it has learnt so far.
    func run(observers: [any RunObserver] = []) throws -> RunOutcome {
        Interruption.install()
        try folders.create()
        try folders.write(configuration.yaml, to: "run.yaml")
        var arguments = configuration.training
        arguments.seed = UInt64(configuration.data.seed)
        arguments.shuffles = configuration.data.shuffle
        let console = ConsoleReporter(loggingSteps: configuration.loggingSteps) { Console.note($0) }
        let metrics = try MetricsFile(folders.progress.appending(path: "metrics.jsonl"))
        model.decoder.setTraining(true)
        let loop = try TrainingLoop(
            model: model.decoder, training: training, evaluation: evaluation, arguments: arguments,
            observers: [console, metrics] + observers, shouldStop: { Interruption.isRequested })
        let outcome = try loop.run(model: model.name)
        model.decoder.setTraining(false)
        try save()
        Console.note("the final \(settings == nil ? "model" : "adapter") is in \(folders.model.path)")
        return outcome
    }

    private func save() throws {
        if let settings {
            try LoRAFiles.write(model.decoder, settings: settings, baseModel: model.name, to: folders.model)
        } else {
            try model.decoder.write(to: folders.model, configurationFrom: model.url)
        }
    }
}

/// The folders of a run.
struct RunFolders {
    let base: URL
    var model: URL { base.appending(path: "model") }
    var progress: URL { base.appending(path: "training_progress") }

    /// - Throws: when a finished run is there and is not to be overwritten.
    init(_ path: String, overwrites: Bool) throws {
        base = URL(filePath: path)
        for file in [LoRAFiles.weightsName, "model.safetensors"] where !overwrites {
            guard FileManager.default.fileExists(atPath: model.appending(path: file).path) else { continue }
            throw ConfigurationError(
                place: model.appending(path: file).path, "a run has been finished here already.",
                advice: "Choose another `base_output_dir`, or give --overwrite.")
        }
    }

    func create() throws {
        for folder in [model, progress] {
            do {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            } catch {
                throw ConfigurationError(
                    place: folder.path, "cannot be created (\(error.localizedDescription)).",
                    advice: "`base_output_dir` must be a folder that you may write to.")
            }
        }
    }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: base.appending(path: name), options: .atomic)
    }
}
