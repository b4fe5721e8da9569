internal import Foundation

extension Error {
    /// The message of an error. Foundation's errors describe themselves by their structure.
    var text: String {
        let error = self as NSError
        guard error.domain == NSCocoaErrorDomain else { return "\(self)" }
        let path = (error.userInfo[NSFilePathErrorKey] as? String).map { "\($0): " } ?? ""
        guard let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError, cause.domain == NSPOSIXErrorDomain else {
            return path + error.localizedDescription
        }
        return path + String(cString: strerror(Int32(cause.code)))
    }
}
