/// One turn of a conversation.
public struct ChatMessage: Sendable, Hashable, Codable {
    public enum Role: String, Sendable, Hashable, Codable {
        case system, user, assistant
    }

    public var role: Role
    public var content: String

    public init(_ role: Role, _ content: String) {
        self.role = role
        self.content = content
    }
}

/// A conversation written as a model reads it.
public struct ChatText: Sendable, Hashable {
    /// The text, without BOS where ``needsBOS`` says that one has to come first.
    public var text: String
    /// The UTF-8 bytes of `text` that the assistant writes: its answers with the token that ends each; `nil` where the
    /// template writes them in such a way that this is not known.
    public var completions: [Range<Int>]?
    /// Whether the tokens of `text` must be preceded by BOS.
    public var needsBOS: Bool

    public init(text: String, completions: [Range<Int>]?, needsBOS: Bool) {
        self.text = text
        self.completions = completions
        self.needsBOS = needsBOS
    }
}

extension Tokenizer {
    /// The tokens of a conversation, with exactly one BOS where its template asks for one.
    public func encode(_ chat: ChatText) -> Encoding {
        var encoding = encode(chat.text)
        if chat.needsBOS, let bosID, encoding.ids.first != bosID {
            encoding.ids.insert(bosID, at: 0)
            encoding.byteRanges.insert(0..<0, at: 0)
        }
        return encoding
    }
}
