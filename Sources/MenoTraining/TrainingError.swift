public import MenoErrors

/// Why training cannot continue.
public typealias TrainingError = CodedError<TrainingErrorCode>

/// The cause of a ``TrainingError``.
public enum TrainingErrorCode: String, ErrorCode {
    /// A loss or a gradient is not finite. The step was not applied.
    case notFinite
    /// There is nothing to train: no parameter is trainable, or no token counts in the loss.
    case nothingToTrain
    /// An argument is out of range.
    case badArguments
    /// The optimizer's update failed halfway: some parameters are changed, so the model cannot be used.
    case updateFailed
    /// A checkpoint cannot be written. Training continues without it.
    case cannotSave
    /// A checkpoint is damaged or belongs to another run.
    case cannotResume
    /// Not even one example fits into memory.
    case outOfMemory
    /// The system does not report what a forecast needs.
    case cannotPlan
    /// The caller asked to stop.
    case interrupted
    /// Another process of the run failed.
    case failedElsewhere

    /// The broad class of the error.
    public var kind: ErrorKind {
        switch self {
        case .interrupted: .interrupted
        case .badArguments, .cannotResume, .nothingToTrain: .badInput
        case .notFinite, .updateFailed, .cannotSave, .outOfMemory, .cannotPlan, .failedElsewhere: .failed
        }
    }
}
