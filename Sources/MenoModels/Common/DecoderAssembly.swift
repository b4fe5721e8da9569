internal import MenoTensor

extension Decoder {
    /// Builds a decoder from weights that are looked up by transformers' names.
    /// - Parameters:
    ///   - computeType: the type of activations; `nil`: the one that this device multiplies fastest with such weights.
    ///   - matrix: returns the named weight that is multiplied, with the given shape.
    ///   - weight: returns the named norm or bias with the given shape, in `weightType` or in float32.
    convenience init(
        _ configuration: DecoderConfiguration, weightType: DType, computeType: DType? = nil, device: Device,
        matrix: @escaping (_ name: String, _ shape: [Int]) throws -> FrozenMatrix,
        weight: @escaping (_ name: String, _ shape: [Int], _ dtype: DType) throws -> Tensor
    ) throws {
        let assembly = DecoderAssembly(
            configuration: configuration, weightType: weightType, device: device, matrix: matrix, weight: weight)
        let table = [configuration.vocabularySize, configuration.hiddenSize]
        let embedding = try assembly.matrix(configuration.moduleName(.embedding) + ".weight", table)
        let layers = try configuration.layers.indices.map(assembly.layer)
        let headWeight =
            configuration.tiesEmbeddings
            ? embedding : try assembly.matrix(configuration.moduleName(.head) + ".weight", table)
        self.init(
            configuration: configuration, weightType: weightType,
            computeType: computeType ?? Self.computeType(weights: weightType, device: device), device: device,
            embedding: embedding,
            positions: try configuration.learnedPositions.map {
                try assembly.matrix(configuration.moduleName(.positions) + ".weight", [$0, configuration.hiddenSize])
            },
            layers: layers,
            finalNorm: try assembly.norm(
                configuration.finalNorm.kind == .standard ? "norm" : configuration.moduleName(.finalNorm),
                [configuration.hiddenSize], configuration.finalNorm),
            head: LanguageModelHead(
                weight: headWeight, bias: try configuration.hasHeadBias ? assembly.headBias() : nil,
                softcap: configuration.finalSoftcap))
    }

    /// The type of activations for frozen weights of a type.
    private static func computeType(weights: DType, device: Device) -> DType {
        weights == .bfloat16 && device == .cpu && Torch.widensFrozenWeights ? .float32 : weights
    }
}

/// Builds the modules of a decoder from its configuration and weights.
private final class DecoderAssembly {
    private let configuration: DecoderConfiguration
    private let weightType: DType
    private let device: Device
    private let frozenMatrix: (_ name: String, _ shape: [Int]) throws -> FrozenMatrix
    private let weight: (_ name: String, _ shape: [Int], _ dtype: DType) throws -> Tensor
    /// Layers with the same rotation share their tables.
    private var rotaries: [RotaryKey: RotaryEmbedding] = [:]

    private struct RotaryKey: Hashable {
        var rotary: RotaryConfiguration
        var headDimension: Int
    }

    init(
        configuration: DecoderConfiguration, weightType: DType, device: Device,
        matrix: @escaping (_ name: String, _ shape: [Int]) throws -> FrozenMatrix,
        weight: @escaping (_ name: String, _ shape: [Int], _ dtype: DType) throws -> Tensor
    ) {
        self.configuration = configuration
        self.weightType = weightType
        self.device = device
        frozenMatrix = matrix
        self.weight = weight
    }

    func matrix(_ name: String, _ shape: [Int]) throws -> Parameter {
        Parameter(name, try frozenMatrix(name, shape))
    }

    private func bias(_ name: String, _ shape: [Int]) throws -> Parameter {
        Parameter(name, try weight(name, shape, weightType))
    }

    func headBias() throws -> Parameter {
        try bias(configuration.moduleName(.head) + ".bias", [configuration.vocabularySize])
    }

    /// Norms are small and computed in float32, so they are held in float32 too.
    func norm(_ name: String, _ shape: [Int], _ kind: NormConfiguration) throws -> Norm {
        var bias: String?
        if case .layer(hasBias: true, _) = kind.kind { bias = name + ".bias" }
        if kind.kind == .standard {
            return Norm(weight: Parameter(name, try .ones([1], device: device)), bias: nil, configuration: kind)
        }
        return Norm(
            weight: Parameter(name + ".weight", try weight(name + ".weight", shape, .float32)),
            bias: try bias.map { Parameter($0, try weight($0, shape, .float32)) }, configuration: kind)
    }

    func layer(_ index: Int) throws -> DecoderLayer {
        let layer = configuration.layers[index]
        var linears: [(name: String, linear: Linear)] = []
        let linear = { (part: WeightPart, outFeatures: Int, inFeatures: Int, hasBias: Bool) in
            let name = self.configuration.moduleName(part, layer: index)
            let linear = Linear(
                weight: try self.matrix(name + ".weight", [outFeatures, inFeatures]),
                bias: hasBias ? try self.bias(name + ".bias", [outFeatures]) : nil)
            linears.append((name, linear))
            return linear
        }
        let norms = try norms(index, layer)
        let attention = try attention(index, layer.attention, norms, linear)
        let feedForward: any FeedForwardBlock =
            try layer.feedForward.experts.map { try experts(index, $0, layer.feedForward.activation, linear) }
            ?? feedForward(index, layer.feedForward, linear)
        return DecoderLayer(
            attention: attention, feedForward: feedForward, norms: norms, linears: linears, configuration: layer)
    }

    private typealias MakeLinear = (WeightPart, _ outFeatures: Int, _ inFeatures: Int, _ hasBias: Bool) throws -> Linear

    private func norms(_ index: Int, _ layer: LayerConfiguration) throws -> DecoderLayer.Norms {
        let parallel = configuration.architecture.names.parallelNorms
        let norm = { (part: WeightPart, shape: [Int], kind: NormConfiguration) in
            if kind.kind == .standard { return try self.norm("norm", shape, kind) }
            let other = layer.normPlacement == .parallelApart ? parallel[part] : nil
            let name = other.map { self.configuration.moduleName($0, layer: index) }
            return try self.norm(name ?? self.configuration.moduleName(part, layer: index), shape, kind)
        }
        let (placement, shape) = (layer.normPlacement, [configuration.hiddenSize])
        var norms = DecoderLayer.Norms()
        if placement != .after { norms.attention = try norm(.attentionNorm, shape, layer.norm) }
        if [.before, .beforeAndAfter, .parallelApart].contains(placement) {
            norms.feedForward = try norm(.feedForwardNorm, shape, layer.norm)
        }
        if placement == .after || placement == .beforeAndAfter {
            norms.postAttention = try norm(.postAttentionNorm, shape, layer.norm)
            norms.postFeedForward = try norm(.postFeedForwardNorm, shape, layer.norm)
        }
        if let settings = layer.attention.queryKeyNorm {
            let (heads, keyHeads) = (layer.attention.headCount, layer.attention.keyValueHeadCount)
            let dimension = layer.attention.headDimension
            if settings.scope == .apart {
                norms.query = try self.norms(.queryNorm, of: index, heads, dimension, settings.norm)
                norms.key = try self.norms(.keyNorm, of: index, keyHeads, dimension, settings.norm)
            } else {
                norms.query = try norm(.queryNorm, settings.shape(heads: heads, dimension: dimension), settings.norm)
                norms.key = try norm(.keyNorm, settings.shape(heads: keyHeads, dimension: dimension), settings.norm)
            }
        }
        return norms
    }

    /// A norm with a separate weight tensor for each head.
    private func norms(
        _ part: WeightPart, of index: Int, _ heads: Int, _ dimension: Int, _ kind: NormConfiguration
    ) throws -> Norm {
        let weights = try (0..<heads).map { head in
            let name = configuration.moduleName(part, layer: index, expert: head) + ".weight"
            return Parameter(name, try weight(name, [dimension], .float32))
        }
        return Norm(weight: weights[0], bias: nil, configuration: kind, otherRows: Array(weights.dropFirst()))
    }

    private func attention(
        _ index: Int, _ shape: AttentionConfiguration, _ norms: DecoderLayer.Norms, _ linear: MakeLinear
    ) throws -> Attention {
        let hidden = configuration.hiddenSize
        let queries = shape.headCount * shape.headDimension
        let keys = shape.keyValueHeadCount * shape.headDimension
        let inputs: Attention.Inputs =
            shape.isFused
            ? .fused(try linear(.queryKeyValue, queries + 2 * keys, hidden, shape.hasInputBias))
            : .apart(
                query: try linear(.query, queries, hidden, shape.hasInputBias),
                key: try linear(.key, keys, hidden, shape.hasInputBias),
                value: try linear(.value, keys, hidden, shape.hasInputBias))
        return Attention(
            inputs: inputs, output: try linear(.output, hidden, queries, shape.hasOutputBias), queryNorm: norms.query,
            keyNorm: norms.key, rotary: rotary(shape), sinks: try shape.hasSinks ? sinks(index, shape.headCount) : nil,
            configuration: shape)
    }

    private func sinks(_ index: Int, _ heads: Int) throws -> Parameter {
        let name = configuration.moduleName("self_attn.sinks", layer: index)
        return Parameter(name, try weight(name, [heads], .float32))
    }

    private func rotary(_ shape: AttentionConfiguration) -> RotaryEmbedding? {
        guard let rotary = shape.rotary else { return nil }
        let key = RotaryKey(rotary: rotary, headDimension: shape.headDimension)
        let embedding =
            rotaries[key] ?? RotaryEmbedding(rotary, headDimension: shape.headDimension, device: device)
        rotaries[key] = embedding
        return embedding
    }

    private func feedForward(
        _ index: Int, _ shape: FeedForwardConfiguration, _ linear: MakeLinear
    ) throws -> FeedForward {
        let (hidden, size) = (configuration.hiddenSize, shape.intermediateSize)
        let inputs: FeedForward.Inputs =
            switch shape.form {
            case .gated:
                .gated(
                    gate: try linear(.gate, size, hidden, shape.hasBias),
                    up: try linear(.up, size, hidden, shape.hasBias))
            case .fusedGate:
                .fusedGate(try linear(shape.hasSharedNames ? .sharedGateUp : .gateUp, 2 * size, hidden, shape.hasBias))
            case .plain: .plain(try linear(.up, size, hidden, shape.hasBias))
            }
        return FeedForward(
            inputs: inputs,
            down: try linear(shape.hasSharedNames ? .sharedDown : .down, hidden, size, shape.hasBias),
            activation: shape.activation,
            xielu: try shape.activation == .xielu ? xielu(index) : nil)
    }

    private func xielu(_ index: Int) throws -> XIELU {
        let value = { (name: String, isBuffer: Bool) in
            let name = self.configuration.moduleName("mlp.act_fn.\(name)", layer: index)
            let values = try self.weight(name, isBuffer ? [] : [1], .float32)
            return isBuffer ? Parameter(buffer: name, values) : Parameter(name, values)
        }
        return XIELU(
            positiveSlope: try value("alpha_p", false), negativeSlope: try value("alpha_n", false),
            linear: try value("beta", true), threshold: try value("eps", true))
    }
}

// MARK: Mixtures of experts

extension DecoderAssembly {
    private func experts(
        _ index: Int, _ shape: ExpertsConfiguration, _ activation: FeedForwardConfiguration.Activation,
        _ linear: MakeLinear
    ) throws -> Experts {
        let (hidden, size) = (configuration.hiddenSize, shape.intermediateSize)
        let names = configuration.architecture.names.experts
        let all = { (part: WeightPart, outFeatures: Int, inFeatures: Int) in
            try (0..<shape.count).map {
                try self.unlisted(part, [outFeatures, inFeatures], layer: index, expert: $0, hasBias: shape.hasBias)
            }
        }
        let module = configuration.moduleName(names.router, layer: index)
        let router = Router(
            name: module,
            linear: try unlisted(.router, [shape.count, hidden], layer: index, expert: nil, hasBias: shape.hasBias),
            correction: try shape.correctsChoice ? correction(of: module, count: shape.count) : nil,
            configuration: shape)
        return Experts(
            name: configuration.moduleName(names.module, layer: index), router: router,
            layers: Experts.Layers(
                gates: try all(.expertGate, size, hidden), ups: try all(.expertUp, size, hidden),
                downs: try all(.expertDown, hidden, size)),
            shared: try shape.shared.map { try shared($0, activation, linear) },
            takesTurns: names.stacks.first?.takesTurns ?? false, activation: activation,
            configuration: shape)
    }

    private func shared(
        _ shape: ExpertsConfiguration.Shared, _ activation: FeedForwardConfiguration.Activation, _ linear: MakeLinear
    ) throws -> Experts.Shared {
        let (hidden, size) = (configuration.hiddenSize, shape.intermediateSize)
        let inputs: FeedForward.Inputs =
            shape.isFused
            ? .fusedGate(try linear(.sharedGateUp, 2 * size, hidden, false))
            : .gated(gate: try linear(.sharedGate, size, hidden, false), up: try linear(.sharedUp, size, hidden, false))
        return Experts.Shared(
            block: FeedForward(
                inputs: inputs, down: try linear(.sharedDown, hidden, size, false), activation: activation),
            router: shape.isWeighed ? try linear(.sharedRouter, 1, hidden, false) : nil)
    }

    private func correction(of router: String, count: Int) throws -> Parameter {
        let name = "\(router).e_score_correction_bias"
        return Parameter(buffer: name, try weight(name, [count], .float32))
    }

    /// A linear layer that is a plain parameter, not a module, in transformers 5.
    private func unlisted(
        _ part: WeightPart, _ shape: [Int], layer: Int, expert: Int?, hasBias: Bool
    ) throws -> Linear {
        let name = configuration.moduleName(part, layer: layer, expert: expert)
        return Linear(
            weight: try matrix(name + ".weight", shape), bias: hasBias ? try bias(name + ".bias", [shape[0]]) : nil)
    }
}

extension QueryKeyNormConfiguration {
    /// The shape of the weights for this many heads.
    fileprivate func shape(heads: Int, dimension: Int) -> [Int] {
        switch scope {
        case .head: [dimension]
        case .eachHead, .apart: [heads, dimension]
        case .projection: [heads * dimension]
        }
    }
}
