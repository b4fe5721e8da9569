internal import Foundation

/// Which linear layers are adapted, as PEFT's `target_modules` says it.
public enum LoRATargets: Sendable, Hashable {
    /// Layers whose full name is, or ends in a dot and, one of these: `q_proj`, `self_attn.o_proj`.
    case names([String])
    /// Layers whose full name (`model.layers.0.self_attn.q_proj`) a regular expression matches entirely.
    case pattern(String)
    /// Every linear layer but the head (`all-linear`).
    case allLinear

    /// The last parts of the names of all linear layers but the head.
    public static let linearNames = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

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

/// Values for layers that a regular expression names, as PEFT's `rank_pattern` and `alpha_pattern` give them. Where several
/// name a layer, the first in alphabetical order counts: `adapter_config.json` keeps no other order.
public struct LayerPatterns<Value: Sendable & Hashable>: Sendable, Hashable, CustomStringConvertible {
    public var entries: [(pattern: String, value: Value)] {
        zip(patterns, values).map { ($0, $1) }
    }
    public var description: String { "{" + entries.map { "\($0): \($1)" }.joined(separator: ", ") + "}" }
    private var patterns: [String]
    private var values: [Value]

    public init(_ entries: [(pattern: String, value: Value)] = []) {
        let entries = entries.sorted { $0.pattern < $1.pattern }
        patterns = entries.map(\.pattern)
        values = entries.map(\.value)
    }

    var dictionary: [String: Value] { Dictionary(zip(patterns, values), uniquingKeysWith: { first, _ in first }) }

    /// The value of the first pattern that a layer's name is, or ends in after a dot.
    func value(of layer: String) throws -> Value? {
        try entries.first { try Self.matches($0.pattern, layer) }?.value
    }

    /// The patterns that name none of these layers.
    func unmatched(among layers: [String]) throws -> [String] {
        try patterns.filter { pattern in try !layers.contains { try Self.matches(pattern, $0) } }
    }

    private static func matches(_ pattern: String, _ layer: String) throws -> Bool {
        do {
            return try layer.wholeMatch(of: Regex("(.*\\.)?(\(pattern))")) != nil
        } catch {
            throw ModelError(.mismatch, "the pattern \"\(pattern)\" is not a regular expression (\(error)).")
        }
    }
}

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
    public var targets: LoRATargets
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
        guard try targets.includes(layer) else { return false }
        guard let layersToTransform else { return true }
        return layer.split(separator: ".").lazy.compactMap { Int($0) }.first.map(layersToTransform.contains) ?? false
    }

    func validated() throws -> LoRASettings {
        for rank in [rank] + rankPattern.entries.map(\.value) where rank < 1 || rank > Self.largestRank {
            throw ModelError(.mismatch, "a rank (lora.r) of \(rank); expected from 1 to \(Self.largestRank).")
        }
        guard dropout >= 0, dropout < 1 else {
            throw ModelError(.mismatch, "lora.lora_dropout is \(dropout); expected at least 0 and below 1.")
        }
        guard alpha.isFinite else { throw ModelError(.mismatch, "lora.lora_alpha is not a finite number.") }
        return self
    }
}

extension Decoder {
    /// Attaches fresh adapters, which change nothing yet, and freezes everything else but the modules to save.
    ///
    /// Initialised from the default generator in the order of the layers: the same seed gives the same adapters.
    /// - Returns: the settings as they hold for this model.
    @discardableResult
    public func attachLoRA(_ settings: LoRASettings) throws -> LoRASettings {
        var settings = try settings.validated()
        var attached = 0
        for (name, linear) in linears where try settings.includes(name) {
            linear.adapter = try LoRAAdapter.initialized(
                layer: name, linear: linear, settings: settings, device: device)
            attached += 1
        }
        guard attached > 0 else {
            throw ModelError(
                .mismatch, "lora.target_modules (with lora.layers_to_transform) matches no layer of the model.",
                advice: "Its linear layers are \(linearKinds.joined(separator: ", ")); or write \"all-linear\".")
        }
        try checkNames(settings)
        settings.modulesToSave = try modulesTrainedWhole(settings.modulesToSave)
        try refuseLayersSavedWhole(settings)
        for parameter in parameters where isSaved(parameter, settings) { try parameter.train() }
        return settings
    }

    /// A layer is adapted or trained as a whole, not both: PEFT would load another model.
    func refuseLayersSavedWhole(_ settings: LoRASettings) throws {
        let both = adapters.map(\.layer).filter { layer in
            settings.modulesToSave.contains { layer.hasSuffix($0) }
        }
        try refuse(
            Array(Set(both.compactMap { $0.split(separator: ".").last.map(String.init) })).sorted(),
            of: "lora.modules_to_save", "are adapted too, by lora.target_modules",
            advice: "Leave them out of one of the two.")
    }

    /// The last parts of the linear layers' names.
    private var linearKinds: [String] {
        Set(linears.map { $0.name.split(separator: ".").last.map(String.init) ?? $0.name }).sorted()
    }

    /// A name that matches nothing is a mistake, also where the others match: what it was meant for would not be adapted.
    private func checkNames(_ settings: LoRASettings) throws {
        if case .names(let names) = settings.targets {
            let unmatched = try names.filter { name in
                try !linears.contains { try LoRATargets.names([name]).includes($0.name) }
            }
            let meant = unmatched.compactMap { nearestName(to: $0, among: linearKinds) }
            try refuse(
                unmatched, of: "lora.target_modules", "match no layer of the model",
                advice: (meant.isEmpty ? "" : "Did you mean \(meant.joined(separator: ", "))? ")
                    + "Its linear layers are \(linearKinds.joined(separator: ", ")).")
        }
        let layers = (settings.layersToTransform ?? []).filter { !(0..<configuration.layerCount).contains($0) }
        try refuse(
            layers.map(String.init), of: "lora.layers_to_transform", "are no layers of the model",
            advice: "It has the layers 0 to \(configuration.layerCount - 1).")
        let adapted = adapters.map(\.layer)
        let advice = "A pattern must match the end of an adapted layer's name: one of lora.target_modules, for example."
        try refuse(
            settings.rankPattern.unmatched(among: adapted), of: "lora.rank_pattern", "match no adapted layer",
            advice: advice)
        try refuse(
            settings.alphaPattern.unmatched(among: adapted), of: "lora.alpha_pattern", "match no adapted layer",
            advice: advice)
    }

    private func refuse(_ names: [String], of key: String, _ what: String, advice: String) throws {
        guard !names.isEmpty else { return }
        let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
        throw ModelError(.mismatch, "\(key): of what it names, these \(what): \(list).", advice: advice)
    }

    /// Checks names of modules, and makes sure that PEFT keeps equal what is one here.
    private func modulesTrainedWhole(_ names: [String]) throws -> [String] {
        for name in names where !parameters.contains(where: { $0.belongs(to: name) }) && name != "lm_head" {
            throw ModelError(
                .mismatch, "lora.modules_to_save: the model has no module \"\(name)\".",
                advice: "For example embed_tokens, lm_head, norm.")
        }
        return withTiedModules(names)
    }

    /// Where the head is the embedding and one is named, both are.
    func withTiedModules(_ names: [String]) -> [String] {
        let both = ["embed_tokens", "lm_head"]
        guard configuration.tiesEmbeddings, names.contains(where: both.contains) else { return names }
        return names.filter { !both.contains($0) } + both
    }

    /// Whether a parameter is trained as part of a module that is saved whole.
    func isSaved(_ parameter: Parameter, _ settings: LoRASettings) -> Bool {
        !parameter.name.contains(".lora_") && settings.modulesToSave.contains { parameter.belongs(to: $0) }
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
