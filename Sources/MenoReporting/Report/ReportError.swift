package import MenoErrors

/// What is wrong with what a run recorded, or with a report. Its place is the file or folder.
package typealias ReportError = CodedError<ReportErrorCode>

/// What a ``ReportError`` is about.
package enum ReportErrorCode: String, ErrorCode {
    /// Nothing was recorded, or what was cannot be read.
    case unreadable
    /// The operating system refused a write.
    case cannotWrite

    package var kind: ErrorKind {
        .badInput
    }
}
