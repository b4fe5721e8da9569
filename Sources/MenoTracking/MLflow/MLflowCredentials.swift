internal import Foundation

/// What a server is convinced by. Its text is nowhere but in a request's header: whatever is printed, interpolated or encoded
/// shows a placeholder.
struct MLflowCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The environment variable that it comes from.
    let source: String
    /// The value of the header `Authorization`.
    let authorization: String
    private let secrets: [String]

    init(token: String, source: String) throws {
        try Self.check(token, source)
        self.source = source
        authorization = "Bearer \(token)"
        secrets = [token]
    }

    init(user: String, password: String, source: String) throws {
        self.source = source
        let encoded = Data("\(user):\(password)".utf8).base64EncodedString()
        authorization = "Basic \(encoded)"
        secrets = [encoded, password].filter { !$0.isEmpty }
    }

    private static func check(_ text: String, _ source: String) throws {
        guard !text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return }
        throw TrackingError(
            .badSetting, at: source,
            "is not a token: it contains spaces, line breaks or characters that tokens cannot have.",
            advice: "Copy it again.")
    }

    /// A text from elsewhere, without the secret where it has it.
    func redacted(_ text: String) -> String {
        secrets.reduce(text) { $0.replacing($1, with: "[secret]") }
    }

    var description: String { "[secret]" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
