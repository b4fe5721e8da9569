public import MenoData
public import MenoFormats
public import MenoModels

/// How an answer is generated.
public struct GenerationOptions: Sendable {
    /// The most tokens of an answer. The model's context may end it earlier. Default 256.
    public var maxNewTokens = 256
    /// How tokens are drawn. Default: temperature 0.7, top-p 0.95. `Sampling.greedy` takes the most probable one.
    public var sampling = Sampling(temperature: 0.7, topP: 0.95)
    /// A system turn before the conversation; `nil`: none.
    public var system: String?
    /// `auto` (the adapter's own, or the model's), `gemma`, `llama3`, `chatml`, `tokenizer` (the model's own), or the path of
    /// a `.jinja` file. Default `auto`.
    public var chatTemplate = "auto"
    /// Values for the chat template, such as `enable_thinking` or `tools`.
    public var templateVariables: [JSONValue.Member] = []

    /// The defaults.
    public init() {}
}

/// What an evaluation computes.
public struct EvaluationOptions: Sendable {
    /// The most records, chosen evenly over sources and lengths. Default 100.
    public var maxSamples = 100
    /// Tokens of the longest example; longer ones are cut. Default 2,048.
    public var maxLength = 2048
    /// Which tokens count. Default: all.
    public var lossOn = LossTarget.all
    /// Seeds the choice of the records. Default 42.
    public var seed: UInt64 = 42
    /// A system turn before dialogues that have none; `nil`: none.
    public var system: String?
    /// As ``GenerationOptions/chatTemplate``.
    public var chatTemplate = "auto"
    /// Values for the chat template; records that bring their own keep them.
    public var templateVariables: [JSONValue.Member] = []

    /// The defaults.
    public init() {}
}

/// What a model has answered.
public struct Answer: Sendable, Hashable {
    /// The text, without the token that ends it.
    public let text: String
    /// Tokens generated.
    public let tokens: Int
    /// Why there are no more.
    public let end: GenerationEnd
}
