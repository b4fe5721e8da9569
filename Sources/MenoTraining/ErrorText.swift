internal import Foundation

extension Error {
    /// In words. Foundation's errors describe themselves as what they are made of.
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
