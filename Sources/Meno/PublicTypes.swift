// The types that this module's functions take and return are declared in the modules beneath. These
// aliases let a program use them with `import Meno` alone. (`@_exported import` would do it in one
// line, but it is not an official part of the language, and would bring tensors, kernels and file
// formats into every file that imports Meno.)

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
/// Thresholds of the monitor.
public typealias MonitorConfiguration = MenoMonitor.MonitorConfiguration
/// Which tokens count in the loss.
public typealias LossTarget = MenoData.LossTarget
/// What a run minimizes: the loss of supervised fine-tuning, or a preference loss such as DPO.
public typealias ObjectiveOptions = MenoTraining.ObjectiveOptions
/// How tokens are sampled.
public typealias Sampling = MenoModels.Sampling
/// Whether quantised weights from a file stay packed in memory.
public typealias WeightChoice = MenoTraining.WeightChoice
/// The sixteen values that a 4-bit weight can take, such as NF4.
public typealias FourBitType = MenoTensor.FourBitType
/// A value for a chat template.
public typealias JSONValue = MenoFormats.JSONValue

// MARK: Data and results

/// A turn of a conversation.
public typealias ChatMessage = MenoTokenizers.ChatMessage
/// A dialogue, a completion or a text to evaluate on.
public typealias Record = MenoData.Record
/// Something that happens in a run.
public typealias RunEvent = MenoMetrics.RunEvent
/// Measurements of one optimizer step: loss in nats, gradient norm, learning rate, tokens.
public typealias StepMetrics = MenoMetrics.StepMetrics
/// Measurements of an evaluation on the held-out examples.
public typealias EvaluationMetrics = MenoMetrics.EvaluationMetrics
/// A metric that a preference objective reports besides its loss.
public typealias ObjectiveMetric = MenoMetrics.ObjectiveMetric
/// The metrics that a preference objective reported besides its loss, under TRL's names.
public typealias ObjectiveMetrics = MenoMetrics.ObjectiveMetrics
/// How a run ended.
public typealias RunOutcome = MenoMetrics.RunOutcome
/// Losses of records, in nats, with perplexity and accuracy.
public typealias Evaluation = MenoTraining.Evaluation
/// Why a generation ended.
public typealias GenerationEnd = MenoModels.GenerationEnd

// MARK: Errors

/// The common form of every error: kind, place, message, advice, settings.
public typealias MenoError = MenoErrors.MenoError
/// The broad class of an error, for a program that has to react to it.
public typealias ErrorKind = MenoErrors.ErrorKind
/// A setting that an error refers to.
public typealias Setting = MenoErrors.Setting

/// An invalid setting, or a run folder that cannot be used.
public typealias ConfigurationError = MenoConfiguration.ConfigurationError
/// A data file or a record that cannot be used.
public typealias DataError = MenoData.DataError
/// A model or an adapter that cannot be used.
public typealias ModelError = MenoModels.ModelError
/// A file that is damaged or has an unknown format.
public typealias FormatError = MenoFormats.FormatError
/// A Hugging Face Hub model that cannot be downloaded or is not in the cache.
public typealias HubError = MenoHub.HubError
/// A tokenizer or a chat template that cannot be used.
public typealias TokenizerError = MenoTokenizers.TokenizerError
/// A run or an evaluation that cannot continue.
public typealias TrainingError = MenoTraining.TrainingError
/// An error from libtorch, including out of memory.
public typealias TorchError = MenoTensor.TorchError
