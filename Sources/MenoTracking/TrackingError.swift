package import MenoErrors

/// What is wrong with the settings of a tracker. Its place is the environment variable.
package typealias TrackingError = CodedError<TrackingErrorCode>

/// What a ``TrackingError`` is about.
package enum TrackingErrorCode: String, ErrorCode {
    case badSetting

    package var kind: ErrorKind { .badInput }
}
