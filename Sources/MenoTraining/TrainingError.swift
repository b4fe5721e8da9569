public import MenoErrors

/// Why training cannot go on.
public typealias TrainingError = CodedError<TrainingErrorCode>

/// What a ``TrainingError`` is about.
public enum TrainingErrorCode: String, ErrorCode {
    /// A loss or a gradient is not a finite number. Nothing was applied.
    case notFinite
    /// There is nothing to learn from: no parameter is trained, or no token carries loss.
    case nothingToTrain
    /// An argument has a value that no run can have.
    case badArguments
    /// The optimizer's update broke off: parameters are partly changed, and of no use.
    case updateFailed
    /// A checkpoint cannot be written. Training goes on without it.
    case cannotSave
    /// A checkpoint is broken, or belongs to another run.
    case cannotResume
    /// Not even one example fits into memory.
    case outOfMemory
    /// The system does not tell what is needed for a forecast.
    case cannotPlan
    /// The caller asked to end.
    case interrupted
    /// Another process of the run failed.
    case failedElsewhere

    /// What a program makes of the error.
    public var kind: ErrorKind {
        switch self {
        case .interrupted: .interrupted
        case .badArguments, .cannotResume, .nothingToTrain: .badInput
        case .notFinite, .updateFailed, .cannotSave, .outOfMemory, .cannotPlan, .failedElsewhere: .failed
        }
    }
}
