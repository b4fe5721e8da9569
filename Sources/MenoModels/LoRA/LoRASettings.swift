/// The low-rank adaptation of a model, by the names of PEFT's `LoraConfig`.
public struct LoRASettings: Sendable, Hashable {
    /// More than any layer has rows or columns.
    public static let largestRank = 1 << 16
    /// r, the rank of every change.
    public var rank: Int
    /// α: changes are scaled by α / r.
    public var alpha: Double
    /// The probability with which each element of an adapter's input is dropped while training.
    public var dropout: Double
    /// The linear layers that are adapted.
    public var targets: LoRATargets
    /// Weights that are adapted though they belong to no linear layer of transformers, by the ends of their full names, such as
    /// `experts.down_proj` (PEFT's `target_parameters`).
    public var targetParameters: [String] = []
    /// Whether changes are scaled by α / √r instead (Kalajdzievski, 2023, arXiv:2312.03732).
    public var usesRankStabilization = false
    /// Whether the size of each row of a weight is learnt apart from its direction (Liu et al., 2024, arXiv:2402.09353).
    public var usesDoRA = false
    /// The layers of the model that are adapted, from 0; `nil`: all.
    public var layersToTransform: [Int]?
    /// Other ranks for some layers.
    public var rankPattern = LayerPatterns<Int>()
    /// Other α for some layers.
    public var alphaPattern = LayerPatterns<Double>()
    /// Modules that are trained and saved as a whole beside the adapters: `embed_tokens`, `lm_head`, `norm`, …
    public var modulesToSave: [String] = []
    /// Layers that are not adapted though ``targets`` names them.
    public var excludedModules: LoRATargets?
    /// Whether PEFT keeps a head and an embedding equal that are one in the model, where one of them is trained whole.
    package var ensuresWeightTying = false

    /// All other settings have their defaults.
    public init(
        rank: Int, alpha: Double, dropout: Double, targets: LoRATargets, usesRankStabilization: Bool = false
    ) {
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = targets
        self.usesRankStabilization = usesRankStabilization
    }

    func rank(of layer: String) throws -> Int { try rankPattern.value(of: layer) ?? rank }

    /// What the change of a layer is scaled by.
    func scaling(of layer: String) throws -> Double {
        let (rank, alpha) = try (Double(rank(of: layer)), alphaPattern.value(of: layer) ?? alpha)
        return usesRankStabilization ? alpha / rank.squareRoot() : alpha / rank
    }

    /// Whether a layer (`model.layers.0.self_attn.q_proj`) is adapted.
    func includes(_ layer: String) throws -> Bool {
        guard try targets.includes(layer), try !(excludedModules?.includes(layer) ?? false) else { return false }
        // PEFT adapts nothing in a module that is trained whole.
        guard !modulesToSave.contains(where: { ModuleNames.holds($0, layer) }) else { return false }
        guard let layersToTransform else { return true }
        return layer.split(separator: ".").lazy.compactMap { Int($0) }.first.map(layersToTransform.contains) ?? false
    }

    func validated() throws -> LoRASettings {
        for rank in [rank] + rankPattern.entries.map(\.value) where rank < 1 || rank > Self.largestRank {
            throw ModelError(
                .mismatch, "the rank is \(rank); expected from 1 to \(Self.largestRank).", settings: [.loraRank])
        }
        guard dropout >= 0, dropout < 1 else {
            throw ModelError(
                .mismatch, "the dropout of the adapters is \(dropout); expected a value from 0 to below 1.",
                settings: [.loraDropout])
        }
        guard targetParameters.isEmpty || dropout == 0 && !usesDoRA else {
            throw ModelError(
                .unsupported, "target parameters cannot be combined with dropout or DoRA, as in PEFT.",
                advice: "Set a dropout of 0.", settings: [.targetParameters: nil, .loraDropout: "0"])
        }
        guard alpha.isFinite else { throw ModelError(.mismatch, "α is not a finite number.", settings: [.loraAlpha]) }
        return self
    }
}
