public import MenoData
public import MenoFormats
public import MenoModels
public import MenoMonitor
public import MenoTensor
public import MenoTraining

/// A run as `RUN.yaml` describes it. `Documentation/keys.md` has meaning, default, example and caveat of each key.
public struct RunConfiguration: Sendable {
    /// What frozen weights are kept in. `float16` cannot be trained, and is refused.
    public enum Precision: String, Sendable, CaseIterable { case auto, float32, bfloat16, float16 }
    /// Where a model computes; `auto` takes CUDA, then MPS, then the CPU.
    public enum DeviceChoice: String, Sendable, CaseIterable { case auto, cpu, cuda, mps }

    /// `model:`, which model is trained and how its weights are held.
    public struct Model: Sendable {
        /// `model.name_or_path`: a Hugging Face folder, a `.gguf` file, or a model's name.
        public var nameOrPath = ""
        /// `model.dtype`. Default auto: bfloat16, unless `training.bf16` is false.
        public var dtype = Precision.auto
        /// `model.device`. Default auto.
        public var device = DeviceChoice.auto
        /// `model.weights`: whether a GGUF file's quantised weights stay packed in memory. Default auto.
        public var weights = WeightChoice.auto
        /// `model.load_in_4bit`: quantises linear layers to four bits while loading. Default false.
        public var loadsInFourBits = false
        /// `model.load_in_8bit`: quantises linear layers to eight bits while loading. Default false.
        public var loadsInEightBits = false
        /// `model.bnb_4bit_quant_type`. Default NF4.
        public var fourBitType = FourBitType.nf4
        /// `model.bnb_4bit_use_double_quant`: whether scales are quantised, too. Default true.
        public var usesDoubleQuantization = true
        /// `model.bnb_4bit_compute_dtype`: what is computed in beside four-bit weights. Default auto.
        public var fourBitComputeType = Precision.auto
        /// `model.llm_int8_skip_modules`: modules that are not quantised. Default none.
        public var skippedModules: [String] = []

        /// How linear layers are quantised; `nil`: not at all.
        package var quantization: WeightQuantization? {
            if loadsInFourBits {
                return WeightQuantization(
                    .fourBits(fourBitType, nested: usesDoubleQuantization), skippedModules: skippedModules)
            }
            return loadsInEightBits ? WeightQuantization(.eightBits, skippedModules: skippedModules) : nil
        }
    }

    /// `data:`, what a model is trained on.
    public struct Data: Sendable {
        /// `data.path`: a file of records, a folder, or a pattern such as `data/*.jsonl`.
        public var path = ""
        /// Further entries of `data.path`, where that is a list. Default none.
        public var furtherPaths: [String] = []
        /// `data.sources`: sources that are read instead of ``path``. Default none.
        public var sources: [DataSource] = []
        /// `data.eval_path`: what evaluations use instead of held-out examples. Default none.
        public var evaluationPaths: [String] = []
        /// `data.mapping`: what the data call the parts of records, where they have names of their own. Default none.
        public var mapping = RecordMapping()
        /// `data.sample_by`: what a record of a text file is. Default: a line.
        public var textUnit = TextUnit.line
        /// `data.drop_duplicates`: whether records that repeat an earlier one are left out. Default false.
        public var dropsDuplicates = false
        /// `data.format`: the shape of the records. Default auto: each record's own.
        public var format = RecordFormat.auto
        /// `data.chat_template`. Default auto: the model's own, where it brings one.
        public var chatTemplate = "auto"
        /// `data.chat_template_kwargs`: values for the template, such as `enable_thinking`.
        public var chatTemplateKwargs: [JSONValue.Member] = []
        /// `data.max_length`: tokens of the longest example. Default 256.
        public var maxLength = 256
        /// `data.too_long`: what becomes of longer examples. Default: they are cut.
        public var tooLong = LengthPolicy.truncate
        /// `data.on_invalid`: what happens when a record is unfit. Default: it is skipped and reported.
        public var onInvalid = InvalidRecordPolicy.skip
        /// `data.train_fraction`: the share of the examples that is trained on. Default 0.8.
        public var trainFraction = 0.8
        /// `data.max_eval_samples`: the most held-out examples of an evaluation. Default 50.
        public var maxEvaluationSamples = 50
        /// `data.packing`: whether examples are put together up to ``maxLength`` to count as one. Default: they are not.
        public var packing = Packing.none
        /// `data.text_blocks`: whether texts are joined and cut into full blocks. Default false.
        public var textBlocks = false
        /// `data.block_overlap`: tokens that a block has in common with the one before. Default 1.
        public var blockOverlap = 1
        /// `data.loss_on`: which tokens carry loss. Default all.
        public var lossOn = LossTarget.all
        /// `data.shuffle`: whether every epoch has an order of its own. Default true.
        public var shuffle = true
        /// `data.seed`: seeds the split, the order and dropout. Default 42.
        public var seed = 42
    }

    /// How a model is adapted: the fields of ``LoRASettings``, and the adapter that a run begins with.
    @dynamicMemberLookup
    public struct LoRA: Sendable {
        /// Rank, α, dropout and the layers that are adapted. Each field is a member of this type too: `lora.rank`.
        public var settings = LoRASettings(
            rank: 8, alpha: 16, dropout: 0.1, targets: .names(["q_proj", "k_proj", "v_proj"]))
        /// The folder of an adapter in PEFT's form that the run begins with. Its settings replace ``settings``.
        public var initialAdapter: String?

        /// The defaults of the reference notebook.
        public init() {}

        /// A field of ``settings``.
        public subscript<Value>(dynamicMember field: WritableKeyPath<LoRASettings, Value>) -> Value {
            get { settings[keyPath: field] }
            set { settings[keyPath: field] = newValue }
        }
    }

    /// `monitor:`, what is watched and what follows from it.
    public struct Monitoring: Sendable {
        /// What an alert does: it is logged, ends the run, or starts a command.
        public enum AlertAction: String, Sendable, CaseIterable { case log, stop, command }
        /// When the model is asked the monitor's questions.
        public enum Probing: String, Sendable, CaseIterable { case evaluation, never }

        /// Whether there is a monitor. Default true.
        public var isEnabled = true
        /// What it judges by.
        public var thresholds = MonitorConfiguration()
        /// `monitor.on_alert`. Default: alerts are logged.
        public var onAlert = AlertAction.log
        /// `monitor.alert_command`: what ``AlertAction/command`` starts.
        public var alertCommand: String?
        /// `monitor.probes.when`. Default: at each evaluation.
        public var probing = Probing.evaluation
        /// `monitor.probes.questions`; `auto` takes held-out questions of the data.
        public var probeQuestions = ["auto"]
        /// `monitor.probes.max_new_tokens`: the most tokens of an answer. Default 64.
        public var probeMaxNewTokens = 64
        /// `monitor.probes.max_share`: the most of a run's time that questions may take. Default 0.05.
        public var probeMaxShare = 0.05
    }

    /// `report:`, what is written besides the model.
    public struct Reporting: Sendable {
        /// Where metrics are sent.
        public enum Destination: String, Sendable, CaseIterable { case none, all, tensorboard }
        /// The language of the report; `auto` is the data's.
        public enum Language: String, Sendable, CaseIterable {
            case automatic = "auto"
            case japanese = "ja"
            case english = "en"
        }

        /// `training.report_to`. Default none.
        public var destinations: [Destination] = []
        /// `nil`: `logs` in the run's folder.
        public var logDirectory: String?
        /// `training.disable_tqdm`: whether the line of progress is left out. Default false.
        public var hidesProgress = false
        /// `report.language`. Default auto.
        public var language = Language.automatic

        /// Whether event files for TensorBoard are written.
        package var writesTensorBoard: Bool { destinations.contains(.tensorboard) || destinations.contains(.all) }
    }

    /// `base_output_dir`: the folder that everything of the run is written to.
    public var baseOutputDirectory = "runs/meno"
    /// `model:`
    public var model = Model()
    /// `data:`
    public var data = Data()
    /// `nil` is full fine-tuning.
    public var lora: LoRA? = LoRA()
    /// `training:`
    public var training = TrainingArguments()
    /// `monitor:`
    public var monitor = Monitoring()
    /// `report:`
    public var report = Reporting()
    /// `training.bf16`: what `model.dtype: auto` means.
    public var computesInBFloat16 = true
    /// `training.fp16`, which is refused where it is true.
    package var computesInFloat16 = false
    /// `training.no_cuda`: computes on the CPU.
    package var usesNoCUDA = false
    /// `training.greater_is_better`; `nil`: as the metric says.
    public var greaterIsBetter: Bool?
    /// `training.run_name`: what the run is called; `nil`: by its folder.
    public var runName: String?
    /// `training.export_at_end`: the forms that the result is exported in, such as `gguf:Q8_0`.
    public var exportAtEnd: [String] = []
    /// Keys that say how `Trainer` computes and that change nothing here.
    package var withoutEffect = WithoutEffect()

    package struct WithoutEffect: Sendable {
        package var evaluationBatchSize = 2
        package var evaluationAccumulationSteps: Int? = 4
        package var pinsMemory = true
    }

    /// The keys of `lora` that were given, by their paths.
    var givenLoRAKeys: Set<String> = []

    /// The defaults for code: those of ``notebook``, but one epoch.
    public init() {}

    /// Names what every run needs; all else has the defaults for code.
    /// - Parameters:
    ///   - model: a Hugging Face folder, a `.gguf` file, or a name that `meno models list` shows.
    ///   - data: a file, folder or pattern of records: JSON, CSV, text or Parquet.
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
