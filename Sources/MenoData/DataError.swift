public import MenoErrors

/// What is wrong with training data. Its place is the file.
public typealias DataError = CodedError<DataErrorCode>

/// What a ``DataError`` is about.
public enum DataErrorCode: String, ErrorCode {
    /// There is no such file, or it cannot be opened.
    case notFound
    /// The file as a whole cannot be read as records.
    case malformed
    /// Records are unfit, and the configuration says to stop at such.
    case invalidRecords
    /// The file changed while it was read.
    case changed
    /// No record is left to train on or to evaluate.
    case empty
    /// Prepared examples cannot be kept: the disk is full, or nothing may be written.
    case full, notWritable

    /// What a program makes of the error.
    public var kind: ErrorKind {
        switch self {
        case .notFound: .notFound
        case .full, .notWritable: .failed
        default: .badInput
        }
    }
}
