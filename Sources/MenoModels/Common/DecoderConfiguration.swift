internal import Foundation

/// Everything that distinguishes one decoder-only transformer from another.
///
/// The architectures' folders (`Gemma2`, `Gemma3`, `Llama`) make these from `config.json` or from GGUF metadata;
/// ``Decoder`` computes any of them.
public struct DecoderConfiguration: Sendable, Hashable {
    /// The nonlinearity of the gated feed-forward block.
    public enum Activation: String, Sendable { case silu, geluTanh, gelu }

    /// Where a layer's blocks are normalised.
    public enum NormPlacement: Sendable {
        /// x + f(norm(x)).
        case before
        /// x + norm(f(norm(x))), as in Gemma 2 and 3.
        case beforeAndAfter
    }

    /// What one layer attends to, and how it encodes positions.
    public struct Layer: Sendable, Hashable {
        /// A token attends to itself and the `slidingWindow − 1` tokens before it; `nil`: to all before it.
        public var slidingWindow: Int?
        public var rope: RotaryConfiguration

        public init(slidingWindow: Int?, rope: RotaryConfiguration) {
            self.slidingWindow = slidingWindow
            self.rope = rope
        }
    }

    /// `gemma3_text`, `gemma2`, `llama`: transformers' `model_type`.
    public var modelType: String
    public var vocabularySize: Int
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var headDimension: Int
    public var layers: [Layer]
    public var normEpsilon: Double
    /// Added to a norm's weight: 1 for Gemma, whose norms are stored around zero.
    public var normOffset: Double = 0
    public var normPlacement: NormPlacement = .before
    /// Whether queries and keys are normalised per head.
    public var normalizesQueriesAndKeys = false
    public var activation: Activation = .silu
    /// Embeddings are multiplied by this: √hidden for Gemma.
    public var embeddingScale: Double = 1
    /// Scores are multiplied by this before the softmax.
    public var attentionScale: Double
    /// Scores become c · tanh(score / c).
    public var attentionSoftcap: Double?
    /// Logits become c · tanh(logit / c).
    public var finalSoftcap: Double?
    /// Whether the head shares the embedding table.
    public var tiesEmbeddings = true
    public var attentionBias = false
    /// The probability with which transformers drops attention weights while it trains. Meno drops none.
    public var attentionDropout = 0.0
    /// Whether this is the text model of a multimodal one, whose modules have other names (``ModuleNames``).
    public var isTextPart = false
    public var maximumPositions: Int

    public var layerCount: Int { layers.count }

    /// Throws where a size is impossible.
    func validated(path: String?) throws -> DecoderConfiguration {
        let positive: [(String, Int)] = [
            ("vocab_size", vocabularySize), ("hidden_size", hiddenSize), ("intermediate_size", intermediateSize),
            ("num_attention_heads", headCount), ("num_key_value_heads", keyValueHeadCount),
            ("head_dim", headDimension), ("num_hidden_layers", layers.count),
            ("max_position_embeddings", maximumPositions),
        ]
        for (key, value) in positive where value < 1 || value > 1 << 24 {
            throw ModelError(.malformed, path: path, "\(key) is \(value); expected between 1 and \(1 << 24).")
        }
        guard headCount % keyValueHeadCount == 0 else {
            throw ModelError(
                .malformed, path: path,
                "num_attention_heads (\(headCount)) is not a multiple of num_key_value_heads (\(keyValueHeadCount)).")
        }
        guard headDimension % 2 == 0 else {
            throw ModelError(
                .malformed, path: path, "head_dim is \(headDimension); rotary embeddings need an even one.")
        }
        for layer in layers where (layer.slidingWindow ?? 1) < 1 {
            throw ModelError(.malformed, path: path, "sliding_window is \(layer.slidingWindow!); expected at least 1.")
        }
        return self
    }
}

/// Rotary position embeddings: rotation angles position · θ^(−2i/d) for i in 0..<d/2.
public struct RotaryConfiguration: Sendable, Hashable {
    public enum Scaling: Sendable, Hashable {
        case none
        /// Every frequency divided by `factor`.
        case linear(factor: Double)
        /// Llama 3.1: long wavelengths divided by `factor`, short ones kept, those between blended.
        case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalPositions: Int)
        /// Each frequency divided by its own factor (GGUF's `rope_freqs.weight`); `[headDimension / 2]`.
        case divided(by: [Float])
    }

    /// θ.
    public var base: Double
    public var scaling: Scaling

    public init(base: Double, scaling: Scaling = .none) {
        self.base = base
        self.scaling = scaling
    }

    /// The angle per position of each pair of a head, `[dimension / 2]`.
    ///
    /// Llama 3.1's blending is that of its reference implementation (Meta, 2024).
    func inverseFrequencies(dimension: Int) -> [Double] {
        let plain = (0..<dimension / 2).map { pow(base, -2 * Double($0) / Double(dimension)) }
        switch scaling {
        case .none: return plain
        case .linear(let factor): return plain.map { $0 / factor }
        case .divided(let factors): return zip(plain, factors).map { $0 / Double($1) }
        case .llama3(let factor, let low, let high, let original):
            return plain.map { frequency in
                let wavelength = 2 * Double.pi / frequency
                if wavelength < Double(original) / high { return frequency }
                if wavelength > Double(original) / low { return frequency / factor }
                let smooth = (Double(original) / wavelength - low) / (high - low)
                return (1 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }
}
