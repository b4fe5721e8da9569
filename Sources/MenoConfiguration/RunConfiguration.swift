public import MenoData
public import MenoFormats
public import MenoModels
public import MenoMonitor
public import MenoTensor
public import MenoTraining

/// A run as `RUN.yaml` describes it. Each field is documented with its key in ``ConfigurationKey/all``.
public struct RunConfiguration: Sendable {
    public enum Precision: String, Sendable, CaseIterable { case auto, float32, bfloat16, float16 }
    public enum DeviceChoice: String, Sendable, CaseIterable { case auto, cpu, cuda, mps }

    public struct Model: Sendable {
        public var nameOrPath = ""
        public var dtype = Precision.auto
        public var device = DeviceChoice.auto
        public var weights = WeightChoice.auto
        public var loadsInFourBits = false
        public var loadsInEightBits = false
        public var fourBitType = FrozenMatrix.FourBitType.nf4
        public var usesDoubleQuantization = true
        public var skippedModules: [String] = []

        /// How linear layers are quantised; `nil`: not at all.
        public var quantization: WeightQuantization? {
            if loadsInFourBits {
                return WeightQuantization(
                    .fourBits(fourBitType, nested: usesDoubleQuantization), skippedModules: skippedModules)
            }
            return loadsInEightBits ? WeightQuantization(.eightBits, skippedModules: skippedModules) : nil
        }
    }

    public struct Data: Sendable {
        public var path = ""
        public var format = RecordFormat.auto
        public var chatTemplate = "auto"
        public var chatTemplateKwargs: [JSONValue.Member] = []
        public var maxLength = 256
        public var tooLong = ExampleBuilder.LengthPolicy.truncate
        public var onInvalid = RecordFile.InvalidRecordPolicy.skip
        public var trainFraction = 0.8
        public var maxEvaluationSamples = 50
        public var lossOn = ExampleBuilder.LossTarget.all
        public var shuffle = true
        public var seed = 42
    }

    public struct LoRA: Sendable {
        public var rank = 8
        public var alpha = 16.0
        public var dropout = 0.1
        public var targetModules = ["q_proj", "k_proj", "v_proj"]
        public var targetParameters: [String] = []
        public var usesRankStabilization = false
        public var usesDoRA = false
        public var layersToTransform: [Int]?
        public var rankPattern = LayerPatterns<Int>()
        public var alphaPattern = LayerPatterns<Double>()
        public var modulesToSave: [String] = []
        public var excludedModules: [String] = []
        public var initialAdapter: String?
    }

    public struct Monitoring: Sendable {
        public enum AlertAction: String, Sendable, CaseIterable { case log, stop, command }
        public enum Probing: String, Sendable, CaseIterable { case evaluation, never }

        public var isEnabled = true
        public var thresholds = MonitorConfiguration()
        public var onAlert = AlertAction.log
        public var alertCommand: String?
        public var probing = Probing.evaluation
        public var probeQuestions = ["auto"]
        public var probeMaxNewTokens = 64
        public var probeMaxShare = 0.05
    }

    public struct Reporting: Sendable {
        public enum Destination: String, Sendable, CaseIterable { case none, all, tensorboard }
        public enum Language: String, Sendable, CaseIterable {
            case automatic = "auto"
            case japanese = "ja"
            case english = "en"
        }

        public var destinations: [Destination] = []
        /// `nil`: `logs` in the run's folder.
        public var logDirectory: String?
        public var hidesProgress = false
        public var language = Language.automatic

        /// Whether event files for TensorBoard are written.
        public var writesTensorBoard: Bool { destinations.contains(.tensorboard) || destinations.contains(.all) }
    }

    public var baseOutputDirectory = "runs/meno"
    public var model = Model()
    public var data = Data()
    /// `nil` is full fine-tuning.
    public var lora: LoRA? = LoRA()
    public var training = TrainingArguments()
    public var monitor = Monitoring()
    public var report = Reporting()
    /// `training.bf16`: what `model.dtype: auto` means.
    public var computesInBFloat16 = true
    /// `training.fp16`, which is refused where it is true.
    public var computesInFloat16 = false
    /// `training.no_cuda`: computes on the CPU.
    public var usesNoCUDA = false
    /// `training.greater_is_better`; `nil`: as the metric says.
    public var greaterIsBetter: Bool?
    /// `training.run_name`: what the run is called; `nil`: by its folder.
    public var runName: String?
    /// `training.export_at_end`: the forms that the result is exported in, such as `gguf:Q8_0`.
    public var exportAtEnd: [String] = []
    /// Keys that say how `Trainer` computes and that change nothing here.
    public var withoutEffect = WithoutEffect()

    public struct WithoutEffect: Sendable {
        public var evaluationBatchSize = 2
        public var evaluationAccumulationSteps: Int? = 4
        public var pinsMemory = true
    }

    /// The keys of `lora` that were given, by their paths.
    var givenLoRAKeys: Set<String> = []

    /// The defaults for code: those of ``notebook``, but one epoch.
    public init() {}

    /// Names what every run needs; all else has the defaults for code.
    /// - Parameters:
    ///   - model: a Hugging Face folder, a `.gguf` file, or a name that `meno models list` shows.
    ///   - data: a `.json` or `.jsonl` file of records.
    ///   - output: the run's folder, which is created; the adapter is written to `model` in it.
    public init(model: String, data: String, output: String) {
        self.model.nameOrPath = model
        self.data.path = data
        baseOutputDirectory = output
    }

    /// The defaults of `RUN.yaml`: those of the reference notebook, which trains for 30 epochs.
    public static var notebook: RunConfiguration {
        var configuration = RunConfiguration()
        configuration.training.epochs = 30
        return configuration
    }

    /// The adapter's fields, where a section `lora` may be absent.
    var adapter: LoRA {
        get { lora ?? LoRA() }
        set { lora = newValue }
    }
}
