internal import Foundation

/// The user's access token. Its text appears only in request headers; printing, interpolating or encoding it shows a
/// placeholder.
package struct HubToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Where it was found: `HF_TOKEN`, or a file.
    package let source: String
    private let secret: String

    /// - Returns: `nil` if the text is empty.
    /// - Throws: ``HubError`` `badSetting` if it cannot be a token.
    init?(_ text: String, source: String) throws {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !text.isEmpty else { return nil }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw HubError(
                .badSetting, at: source,
                "is not a token: it contains spaces, line breaks or characters that tokens cannot have.",
                advice: "Copy it again from https://huggingface.co/settings/tokens, or run `hf auth login`.")
        }
        (secret, self.source) = (text, source)
    }

    /// The value of the `Authorization` header.
    var authorization: String { "Bearer \(secret)" }

    /// Redacts the token in a text.
    func redacted(_ text: String) -> String { text.replacing(secret, with: "[token]") }

    package var description: String { "[token]" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// The token from the environment or from `hf auth login`.
    static func find(_ environment: [String: String], home: String) throws -> HubToken? {
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let text = environment[name], let token = try HubToken(text, source: name) { return token }
        }
        let path = environment["HF_TOKEN_PATH"].map { HubSettings.expanded($0, environment) } ?? "\(home)/token"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return try HubToken(text, source: path)
    }
}
