public import MenoData
public import MenoFormats
public import MenoModels

/// How an answer is generated.
public struct GenerationOptions: Sendable {
    /// The maximum number of tokens in an answer. It may end earlier at the model's context length.
    /// Default 256.
    public var maxNewTokens = 256
    /// How tokens are sampled. Default: temperature 0.7, top-p 0.95. `Sampling.greedy` always picks
    /// the most probable token.
    public var sampling = Sampling(temperature: 0.7, topP: 0.95)
    /// A system turn before the conversation; `nil`: none.
    public var system: String?
    /// `auto` (the template saved with the adapter, or else the model's), `gemma`, `llama3`,
    /// `chatml`, `tokenizer` (the model's), or the path of a `.jinja` file. Default `auto`.
    public var chatTemplate = "auto"
    /// Values for the chat template, such as `enable_thinking` or `tools`.
    public var templateVariables: [JSONValue.Member] = []

    /// The defaults.
    public init() {}
}

/// What to evaluate on.
public struct EvaluationOptions: Sendable {
    /// The maximum number of records, chosen evenly over sources and lengths. Default 100.
    public var maxSamples = 100
    /// The maximum length of an example in tokens; longer examples are cut. Default 2,048.
    public var maxLength = 2048
    /// Which tokens count. Default: all.
    public var lossOn = LossTarget.all
    /// The random seed for choosing records. Default 42.
    public var seed: UInt64 = 42
    /// A system turn put before dialogues that have none; `nil`: none.
    public var system: String?
    /// See ``GenerationOptions/chatTemplate``.
    public var chatTemplate = "auto"
    /// Values for the chat template; values in a record take precedence.
    public var templateVariables: [JSONValue.Member] = []

    /// The defaults.
    public init() {}
}

/// A generated answer.
public struct Answer: Sendable, Hashable {
    /// The text, without the end-of-turn token.
    public let text: String
    /// The number of tokens generated.
    public let tokens: Int
    /// Why the generation ended.
    public let end: GenerationEnd
}
