public import Foundation

/// The form of every error that this package throws: what is wrong, where, and what to do.
public protocol MenoError: Error, CustomStringConvertible {
    /// The broad class of the error; the command line turns it into an exit status.
    var kind: ErrorKind { get }
    /// The file, setting or place that the error concerns, if there is one.
    var place: String? { get }
    /// What is wrong, and what was expected.
    var message: String { get }
    /// What the user can do about it, if anything.
    var advice: String? { get }
    /// The settings that the advice refers to. A front end shows them in its own terms: a key of a file, a flag, a
    /// field.
    var settings: SuggestedSettings { get }
}

/// The broad class of an error, for programs.
public enum ErrorKind: Sendable, Hashable {
    /// A file or folder that was named does not exist or cannot be opened.
    case notFound
    /// The input cannot be used: settings, data, a model.
    case badInput
    /// Something failed while the program was working.
    case failed
    /// The caller asked to stop.
    case interrupted
}

/// The code of an error, for programs to branch on.
public protocol ErrorCode: RawRepresentable<String>, Hashable, Sendable {
    var kind: ErrorKind { get }
}

/// An error of one module, identified by its code. Each module has a name for its errors: `ModelError`, `DataError`,
/// …
public struct CodedError<Code: ErrorCode>: MenoError {
    /// What went wrong, for a program.
    public var code: Code
    /// The file or setting, or the place in it.
    public var place: String?
    /// What is wrong, and what was expected.
    public var message: String
    /// What the user can do.
    public var advice: String?
    /// The settings that the advice refers to.
    public var settings: SuggestedSettings

    /// - Parameters: see the properties.
    public init(
        _ code: Code, at place: String? = nil, _ message: String, advice: String? = nil,
        settings: SuggestedSettings = []
    ) {
        self.code = code
        self.place = place
        self.message = message
        self.advice = advice
        self.settings = settings
    }

    /// The class that the code belongs to.
    public var kind: ErrorKind { code.kind }

    /// Place, message and advice in one line.
    public var description: String {
        [place.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}

extension CodedError: LocalizedError {
    /// What is wrong, for a sentence that already names the place.
    public var errorDescription: String? { message.hasSuffix(".") ? String(message.dropLast()) : message }
}
