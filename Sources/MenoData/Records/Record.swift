public import MenoFormats
public import MenoTokenizers

/// One entry of a data file.
public struct Record: Sendable, Hashable {
    /// What a record holds.
    public enum Content: Sendable, Hashable {
        /// A conversation, in `messages` or `conversations`, or in `prompt` and `completion`.
        case dialogue([ChatMessage])
        /// Plain text and its continuation.
        case completion(prompt: String, completion: String)
        /// Plain text.
        case text(String)
        /// Tokens, and for each the token itself where it is learnt, or -100.
        case tokens([Int], labels: [Int])
    }

    /// Where it stands in its file: `line 12`, counted from 1, or `record 3` of an array, counted from 0.
    public var place: String
    /// What it was taken from (`source` or `source_file`), by which an evaluation set is balanced.
    public var source: String?
    /// What it holds: a dialogue, a prompt with its completion, a text, or tokens.
    public var content: Content
    /// What else the record says, by name, such as `tools`, `documents` and the members of `chat_template_kwargs`: a
    /// dialogue's chat template is given all of it.
    public var variables: [JSONValue.Member]
    /// How many turns of a dialogue are its `prompt`: answers among them are no completions.
    public var promptTurns: Int
    /// The whole that is rejected, prompt included, where the record is a pair and ``content`` is the chosen one.
    package var rejected: Content?

    var isDialogue: Bool { if case .dialogue = content { true } else { false } }

    /// - Parameters: as the properties.
    public init(
        place: String, source: String? = nil, content: Content, variables: [JSONValue.Member] = [], promptTurns: Int = 0
    ) {
        self.place = place
        self.source = source
        self.content = content
        self.variables = variables
        self.promptTurns = promptTurns
    }
}

/// The shape of the records of a file.
public enum RecordFormat: String, Sendable, Hashable, CaseIterable {
    /// Each record's own, by the keys it has.
    case auto
    /// `{"messages": [{"role": "user", "content": …}, …]}`
    case messages
    /// `{"conversations": [{"from": "human", "value": …}, …]}`, as ShareGPT writes it.
    case conversations
    /// `{"prompt": …, "completion": …}`, both a text or both turns.
    case promptCompletion = "prompt_completion"
    /// `{"prompt": …, "response": …}`, a dialogue of two turns.
    case promptResponse = "prompt_response"
    /// `{"question": …, "answer": …}`, a dialogue of two turns.
    case questionAnswer = "question_answer"
    /// `{"instruction": …, "input": …, "output": …}`, a dialogue of two turns; `history` has earlier ones.
    case alpaca
    /// `{"input_ids": […], "labels": […]}`, as a tokenizer made them.
    case tokens = "input_ids"
    /// `{"prompt": …, "chosen": …, "rejected": …}`, all texts or all turns; without `prompt`, both are whole conversations.
    case preference
    /// `{"text": …}`
    case text
}
