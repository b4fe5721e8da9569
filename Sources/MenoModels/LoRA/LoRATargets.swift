internal import Foundation

/// Which linear layers are adapted, as PEFT's `target_modules` says it.
public enum LoRATargets: Sendable, Hashable {
    /// Layers whose full name is, or ends in a dot and, one of these: `q_proj`, `self_attn.o_proj`.
    case names([String])
    /// Layers whose full name (`model.layers.0.self_attn.q_proj`) a regular expression matches entirely.
    case pattern(String)
    /// Every linear layer but the head (`all-linear`).
    case allLinear

    /// Whether a layer is meant.
    func includes(_ layer: String) throws -> Bool {
        switch self {
        case .names(let names): return names.contains { layer == $0 || layer.hasSuffix("." + $0) }
        case .allLinear: return true
        case .pattern(let pattern):
            do {
                return try layer.wholeMatch(of: Regex(pattern)) != nil
            } catch {
                throw ModelError(.mismatch, "target_modules: \"\(pattern)\" is not a regular expression (\(error)).")
            }
        }
    }
}

/// The low-rank adaptation of a model.
public struct LoRASettings: Sendable, Hashable {
    /// r, the rank of every change.
    public var rank: Int
    /// α: changes are scaled by α / r.
    public var alpha: Double
    /// The probability with which each element of an adapter's input is dropped while training.
    public var dropout: Double
    public var targets: LoRATargets
    /// Whether changes are scaled by α / √r instead (Kalajdzievski, 2023, arXiv:2312.03732).
    public var usesRankStabilisation: Bool

    public init(
        rank: Int, alpha: Double, dropout: Double, targets: LoRATargets, usesRankStabilisation: Bool = false
    ) {
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = targets
        self.usesRankStabilisation = usesRankStabilisation
    }

    var scaling: Double { usesRankStabilisation ? alpha / Double(rank).squareRoot() : alpha / Double(rank) }

    func validated() throws -> LoRASettings {
        guard rank >= 1, rank <= 1 << 16 else { throw ModelError(.mismatch, "lora.r is \(rank); expected 1 or more.") }
        guard dropout >= 0, dropout < 1 else {
            throw ModelError(.mismatch, "lora.lora_dropout is \(dropout); expected at least 0 and below 1.")
        }
        guard alpha.isFinite else { throw ModelError(.mismatch, "lora.lora_alpha is not a finite number.") }
        return self
    }
}

extension Decoder {
    /// Attaches fresh adapters, which change nothing yet, and freezes everything else.
    ///
    /// Initialised from the default generator in the order of the layers: the same seed gives the same adapters.
    public func attachLoRA(_ settings: LoRASettings) throws {
        let settings = try settings.validated()
        var attached = 0
        for (name, linear) in linears where try settings.targets.includes(name) {
            linear.adapter = try LoRAAdapter.initialized(
                layer: name, inFeatures: linear.inFeatures, outFeatures: linear.outFeatures, rank: settings.rank,
                scaling: settings.scaling, dropout: settings.dropout, device: device)
            attached += 1
        }
        guard attached > 0 else {
            let kinds = Set(linears.map { $0.name.split(separator: ".").last.map(String.init) ?? $0.name }).sorted()
            throw ModelError(
                .mismatch, "lora.target_modules matches no layer of the model.",
                advice: "Its linear layers are \(kinds.joined(separator: ", ")); or write \"all-linear\".")
        }
    }

    /// Whether adapters drop elements of their inputs (in passes with gradient only).
    public func setTraining(_ isTraining: Bool) {
        for (_, linear) in linears { linear.adapter?.isTraining = isTraining }
    }

    /// The adapters by the name of their layer.
    public var adapters: [(layer: String, adapter: LoRAAdapter)] {
        linears.compactMap { name, linear in linear.adapter.map { (name, $0) } }
    }
}
