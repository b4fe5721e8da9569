internal import MenoTensor

extension Decoder {
    /// Builds a decoder from a source of weights that knows transformers' names.
    /// - Parameter weight: returns the named weight with the given shape, frozen, in `weightType` or in float32.
    convenience init(
        _ configuration: DecoderConfiguration, weightType: DType, device: Device,
        weight: (_ name: String, _ shape: [Int], _ dtype: DType) throws -> Tensor
    ) throws {
        func parameter(_ name: String, _ shape: [Int]) throws -> Parameter {
            Parameter(name, try weight(name, shape, weightType))
        }
        // Norms are small and computed in float32, so that is how they are held.
        func norm(_ name: String, _ size: Int) throws -> RMSNorm {
            RMSNorm(
                weight: Parameter(name + ".weight", try weight(name + ".weight", [size], .float32)),
                epsilon: configuration.normEpsilon, offset: configuration.normOffset)
        }
        func linear(_ name: String, _ outFeatures: Int, _ inFeatures: Int, _ hasBias: Bool) throws -> Linear {
            Linear(
                weight: try parameter(name + ".weight", [outFeatures, inFeatures]),
                bias: hasBias ? try parameter(name + ".bias", [outFeatures]) : nil)
        }
        let hidden = configuration.hiddenSize
        let queries = configuration.headCount * configuration.headDimension
        let keys = configuration.keyValueHeadCount * configuration.headDimension
        let embedding = try parameter(
            "\(configuration.modulePrefix)embed_tokens.weight", [configuration.vocabularySize, hidden])
        let layers = try configuration.layers.enumerated().map { index, layer in
            let name = "\(configuration.modulePrefix)layers.\(index)"
            let bias = configuration.attentionBias
            let perHead = configuration.normalizesQueriesAndKeys
            let attention = Attention(
                query: try linear("\(name).self_attn.q_proj", queries, hidden, bias),
                key: try linear("\(name).self_attn.k_proj", keys, hidden, bias),
                value: try linear("\(name).self_attn.v_proj", keys, hidden, bias),
                output: try linear("\(name).self_attn.o_proj", hidden, queries, bias),
                queryNorm: perHead ? try norm("\(name).self_attn.q_norm", configuration.headDimension) : nil,
                keyNorm: perHead ? try norm("\(name).self_attn.k_norm", configuration.headDimension) : nil,
                configuration: configuration, slidingWindow: layer.slidingWindow)
            let feedForward = FeedForward(
                gate: try linear("\(name).mlp.gate_proj", configuration.intermediateSize, hidden, false),
                up: try linear("\(name).mlp.up_proj", configuration.intermediateSize, hidden, false),
                down: try linear("\(name).mlp.down_proj", hidden, configuration.intermediateSize, false),
                activation: configuration.activation)
            let both = configuration.normPlacement == .beforeAndAfter
            return DecoderLayer(
                attention: attention, feedForward: feedForward,
                attentionNorm: try norm("\(name).input_layernorm", hidden),
                feedForwardNorm: try norm(
                    both ? "\(name).pre_feedforward_layernorm" : "\(name).post_attention_layernorm", hidden),
                postAttentionNorm: both ? try norm("\(name).post_attention_layernorm", hidden) : nil,
                postFeedForwardNorm: both ? try norm("\(name).post_feedforward_layernorm", hidden) : nil)
        }
        let headWeight =
            configuration.tiesEmbeddings
            ? embedding : try parameter("lm_head.weight", [configuration.vocabularySize, hidden])
        self.init(
            configuration: configuration, weightType: weightType,
            computeType: Self.computeType(weights: weightType, device: device), device: device, embedding: embedding,
            layers: layers, finalNorm: try norm("\(configuration.modulePrefix)norm", hidden),
            head: LanguageModelHead(weight: headWeight, softcap: configuration.finalSoftcap))
    }

    /// What activations are computed in beside frozen weights of a type.
    private static func computeType(weights: DType, device: Device) -> DType {
        weights == .bfloat16 && device == .cpu && Torch.widensFrozenWeights ? .float32 : weights
    }
}
