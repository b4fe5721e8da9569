// The types that this module's functions take and return belong to the modules beneath. They have their names here, so that
// `import Meno` is enough to write them. (`@_exported import` would do the same with one line; it is no official part of the
// language, and would bring tensors, kernels and file formats into every file that imports Meno.)

public import MenoConfiguration
public import MenoData
public import MenoErrors
public import MenoFormats
public import MenoHub
public import MenoMetrics
public import MenoModels
public import MenoMonitor
public import MenoTensor
public import MenoTokenizers
public import MenoTraining

// MARK: Settings

/// All settings of a run. Each field is a key of `RUN.yaml`, described in `Documentation/keys.md`.
public typealias RunConfiguration = MenoConfiguration.RunConfiguration
/// How a model is trained: steps, learning rate, optimizer, evaluations, checkpoints.
public typealias TrainingArguments = MenoTraining.TrainingArguments
/// How a model is adapted: rank, α, dropout, layers.
public typealias LoRASettings = MenoModels.LoRASettings
/// What the monitor judges by.
public typealias MonitorConfiguration = MenoMonitor.MonitorConfiguration
/// Which tokens carry loss.
public typealias LossTarget = MenoData.LossTarget
/// What a run minimizes: supervised fine-tuning, or a loss of preferences such as DPO.
public typealias ObjectiveOptions = MenoTraining.ObjectiveOptions
/// How tokens are drawn.
public typealias Sampling = MenoModels.Sampling
/// Whether quantised weights of a file stay packed in memory.
public typealias WeightChoice = MenoTraining.WeightChoice
/// The sixteen values of weights in four bits.
public typealias FourBitType = MenoTensor.FourBitType
/// A value for a chat template.
public typealias JSONValue = MenoFormats.JSONValue

// MARK: Data and results

/// A turn of a conversation.
public typealias ChatMessage = MenoTokenizers.ChatMessage
/// A dialogue, a completion or a text to be evaluated on.
public typealias Record = MenoData.Record
/// Something that happens in a run.
public typealias RunEvent = MenoMetrics.RunEvent
/// What an optimizer step computed: loss in nats, gradient norm, learning rate, tokens.
public typealias StepMetrics = MenoMetrics.StepMetrics
/// What an evaluation on the held-out examples computed.
public typealias EvaluationMetrics = MenoMetrics.EvaluationMetrics
/// What an objective of preferences measures beside its loss, and the values of it.
public typealias ObjectiveMetric = MenoMetrics.ObjectiveMetric
/// What an objective of preferences measured beside its loss, by TRL's names.
public typealias ObjectiveMetrics = MenoMetrics.ObjectiveMetrics
/// How a run ended.
public typealias RunOutcome = MenoMetrics.RunOutcome
/// Losses of records, in nats, with perplexity and accuracy.
public typealias Evaluation = MenoTraining.Evaluation
/// Why a generation ended.
public typealias GenerationEnd = MenoModels.GenerationEnd

// MARK: Errors

/// The shape of every error: kind, place, message, advice, settings.
public typealias MenoError = MenoErrors.MenoError
/// What a program makes of an error.
public typealias ErrorKind = MenoErrors.ErrorKind
/// A choice that an error points at.
public typealias Setting = MenoErrors.Setting

/// A setting that cannot be used, or a run's folder that cannot.
public typealias ConfigurationError = MenoConfiguration.ConfigurationError
/// A data file or a record that cannot be used.
public typealias DataError = MenoData.DataError
/// A model or an adapter that cannot be used.
public typealias ModelError = MenoModels.ModelError
/// A file that is damaged or of an unknown format.
public typealias FormatError = MenoFormats.FormatError
/// A model of the Hugging Face Hub that cannot be downloaded, or is not in its cache.
public typealias HubError = MenoHub.HubError
/// A tokenizer or a chat template that cannot be used.
public typealias TokenizerError = MenoTokenizers.TokenizerError
/// A run or an evaluation that cannot go on.
public typealias TrainingError = MenoTraining.TrainingError
/// What libtorch refused, a lack of memory included.
public typealias TorchError = MenoTensor.TorchError
