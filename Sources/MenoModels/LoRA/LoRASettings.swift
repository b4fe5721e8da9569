/// The settings of low-rank adaptation (LoRA), as in PEFT's `LoraConfig`.
public struct LoRASettings: Sendable, Hashable {
    /// The largest accepted rank, which is more than any layer has rows or columns.
    public static let largestRank = 1 << 16
    /// r, the rank of every change ΔW.
    public var rank: Int
    /// α: changes are scaled by α / r.
    public var alpha: Double
    /// The probability of dropping each element of an adapter's input in training, from 0 to below 1.
    public var dropout: Double
    /// The linear layers that are adapted.
    public var targets: LoRATargets
    /// Adapted weights that do not belong to a linear layer in transformers, by the ends of their full names, such as
    /// `experts.down_proj` (PEFT's `target_parameters`).
    public var targetParameters: [String] = []
    /// Whether changes are scaled by α / √r instead of α / r (rsLoRA, Kalajdzievski, 2023, arXiv:2312.03732).
    public var usesRankStabilization = false
    /// Whether the magnitude of each row of a weight is learned separately from its direction (DoRA, Liu et al., 2024,
    /// arXiv:2402.09353).
    public var usesDoRA = false
    /// Indices of the adapted layers, from 0; `nil`: all layers.
    public var layersToTransform: [Int]?
    /// Different ranks for some layers.
    public var rankPattern = LayerPatterns<Int>()
    /// Different values of α for some layers.
    public var alphaPattern = LayerPatterns<Double>()
    /// Modules that are fully trained and saved along with the adapters: `embed_tokens`, `lm_head`, `norm`, …
    public var modulesToSave: [String] = []
    /// Layers that are not adapted even if ``targets`` names them.
    public var excludedModules: LoRATargets?
    /// Whether PEFT keeps a head and an embedding that share weights equal if one of them is fully trained.
    package var ensuresWeightTying = false

    /// Creates settings; all others keep their defaults.
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

    /// The factor of a layer's change: α / r or α / √r.
    func scaling(of layer: String) throws -> Double {
        let (rank, alpha) = try (Double(rank(of: layer)), alphaPattern.value(of: layer) ?? alpha)
        return usesRankStabilization ? alpha / rank.squareRoot() : alpha / rank
    }

    /// Whether a layer (`model.layers.0.self_attn.q_proj`) is adapted.
    func includes(_ layer: String) throws -> Bool {
        guard try targets.includes(layer), try !(excludedModules?.includes(layer) ?? false) else { return false }
        // PEFT adapts nothing in a module that is fully trained.
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
                .unsupported, "target parameters support neither dropout nor DoRA, as in PEFT.",
                advice: "Set the dropout to 0 and turn DoRA off.",
                settings: [.targetParameters: nil, .loraDropout: "0"])
        }
        guard alpha.isFinite else { throw ModelError(.mismatch, "α is not a finite number.", settings: [.loraAlpha]) }
        return self
    }
}
