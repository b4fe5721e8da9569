public import MenoFormats

/// One turn of a conversation.
public struct ChatMessage: Sendable, Hashable {
    /// Who speaks. A chat template decides which roles there are.
    public struct Role: RawRepresentable, Sendable, Hashable {
        /// The role as data and templates write it.
        public var rawValue: String

        /// Any role that a template knows.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Instructions for the complete conversation.
        public static let system = Role(rawValue: "system")
        /// Who asks.
        public static let user = Role(rawValue: "user")
        /// The model.
        public static let assistant = Role(rawValue: "assistant")
        /// The result of a call.
        public static let tool = Role(rawValue: "tool")
    }

    /// The `content` of a record; templates distinguish these cases.
    public enum ContentForm: Sendable, Hashable {
        case text
        case null
        case absent
        /// `[{"type": "text", "text": …}, …]`; ``ChatMessage/content`` is their joined texts.
        case parts([JSONValue])
    }

    /// Who speaks.
    public var role: Role
    /// The text; empty if there is none.
    public var content: String
    /// How the content reaches a template.
    public var form: ContentForm
    /// Everything else that the turn says (`tool_calls`, `reasoning_content`, `name`, …), in its order.
    public var members: [JSONValue.Member]
    /// Whether the turn's text may be trained on.
    public var carriesLoss: Bool

    /// - Parameters: as the properties.
    public init(
        _ role: Role, _ content: String, form: ContentForm = .text, members: [JSONValue.Member] = [],
        carriesLoss: Bool = true
    ) {
        self.role = role
        self.content = content
        self.form = form
        self.members = members
        self.carriesLoss = carriesLoss
    }

    /// A member other than role and content.
    public subscript(key: String) -> JSONValue? { members.first { $0.key == key }?.value }
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

    package init(text: String, completions: [Range<Int>]?, needsBOS: Bool) {
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
