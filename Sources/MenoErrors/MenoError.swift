public import Foundation

/// The shape of every error that this package throws: what is wrong, where, and what to do.
public protocol MenoError: Error, CustomStringConvertible {
    /// What a program makes of it; the command line turns it into an exit status.
    var kind: ErrorKind { get }
    /// The file, the setting, or the place in one, when the error concerns one.
    var place: String? { get }
    /// What is wrong, and what was expected.
    var message: String { get }
    /// What the user can do, when there is something.
    var advice: String? { get }
    /// The settings that the advice is about. A front end names them in its own language: a key of a file, a flag, a field.
    var settings: SuggestedSettings { get }
}

/// What a program makes of an error.
public enum ErrorKind: Sendable, Hashable {
    /// A file or folder that was named does not exist or cannot be opened.
    case notFound
    /// What was given cannot be used: settings, data, a model.
    case badInput
    /// Something failed while the program worked.
    case failed
    /// The caller asked to end.
    case interrupted
}

/// The code of an error: what a program branches on.
public protocol ErrorCode: RawRepresentable<String>, Hashable, Sendable {
    var kind: ErrorKind { get }
}

/// An error of one module, told from its others by its code. Each module names its own: `ModelError`, `DataError`, …
public struct CodedError<Code: ErrorCode>: MenoError {
    /// What went wrong, for a program.
    public var code: Code
    /// The file, the setting, or the place in one.
    public var place: String?
    /// What is wrong, and what was expected.
    public var message: String
    /// What the user can do.
    public var advice: String?
    /// The settings that the advice is about.
    public var settings: SuggestedSettings

    /// - Parameters: as the properties.
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

    /// As the code says.
    public var kind: ErrorKind { code.kind }

    /// Place, message and advice in one line.
    public var description: String {
        [place.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}

extension CodedError: LocalizedError {
    /// What is wrong, for a sentence that names the place already.
    public var errorDescription: String? { message.hasSuffix(".") ? String(message.dropLast()) : message }
}
