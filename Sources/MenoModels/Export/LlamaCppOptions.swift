/// The optional parts that llama.cpp accepts in an architecture. It refuses files with tensors that it does not expect.
///
/// Found by testing llama.cpp (`Tests/Reference/compare_export_architectures.py --variations`).
struct LlamaCppOptions: OptionSet, Sendable {
    let rawValue: Int

    /// Heads whose total width differs from the model's.
    static let wideHeads = LlamaCppOptions(rawValue: 1)
    /// A head that shares the embedding's weights.
    static let tiedHead = LlamaCppOptions(rawValue: 2)
    static let ownHead = LlamaCppOptions(rawValue: 4)
    /// Biases of queries, keys and values.
    static let inputBiases = LlamaCppOptions(rawValue: 8)
    static let outputBiases = LlamaCppOptions(rawValue: 16)
    static let feedForwardBiases = LlamaCppOptions(rawValue: 32)
    /// Factors of each rotary frequency, as Llama 3.1 has them.
    static let frequencyFactors = LlamaCppOptions(rawValue: 64)

    static let anyHead: LlamaCppOptions = [.tiedHead, .ownHead]
    /// Everything that a Llama may have.
    static let llama: LlamaCppOptions = [
        .wideHeads, .anyHead, .inputBiases, .outputBiases, .feedForwardBiases, .frequencyFactors,
    ]

    /// A description of each option.
    private static let words: [(LlamaCppOptions, String)] = [
        (.wideHeads, "heads that are wider or narrower than the model"), (.tiedHead, "the embedding as head"),
        (.ownHead, "a head of its own"), (.inputBiases, "biases of queries, keys and values"),
        (.outputBiases, "a bias of the attention's output"), (.feedForwardBiases, "biases of the feed-forward block"),
        (.frequencyFactors, "factors of rotary frequencies"),
    ]

    var inWords: [String] { Self.words.filter { contains($0.0) }.map(\.1) }
}

extension DecoderConfiguration {
    /// The optional parts of this model.
    var llamaCppOptions: LlamaCppOptions {
        let layer = layers[0]
        let isDivided =
            switch globalRotary?.scaling {
            case .divided, .llama3: true
            default: false
            }
        let options: [(LlamaCppOptions, Bool)] = [
            (.wideHeads, headCount * headDimension != hiddenSize), (.tiedHead, tiesEmbeddings),
            (.ownHead, !tiesEmbeddings), (.inputBiases, layer.attention.hasInputBias),
            (.outputBiases, layer.attention.hasOutputBias), (.feedForwardBiases, layer.feedForward.hasBias),
            (.frequencyFactors, isDivided),
        ]
        return LlamaCppOptions(options.filter(\.1).map(\.0))
    }
}
