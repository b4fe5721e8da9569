internal import Foundation

extension ConfigurationJSON {
    /// Rotary parameters where transformers looks for them: in `rope_scaling` (before transformers 5), otherwise in
    /// `rope_parameters`. If these have no base, it is in `rope_theta`.
    func rotary(_ defaults: Architecture.Defaults, headDimension: Int) throws -> RotaryConfiguration {
        let scaling = try section("rope_scaling").flatMap { $0.keys.isEmpty ? nil : $0 }
        return try rotary(
            scaling ?? section("rope_parameters"), base: double("rope_theta") ?? defaults.rotaryBase,
            share: defaults.rotaryShare, original: defaults.originalPositions, headDimension: headDimension)
    }

    /// - Parameters:
    ///   - parameters: the configuration's parameters for these layers.
    ///   - base: θ if they have none.
    ///   - share: the rotated share of a head, if neither they nor the configuration gives one.
    ///   - original: the context length before scaling, if the configuration does not give it.
    func rotary(
        _ parameters: ConfigurationJSON?, base: Double, share: Double = 1, original: Int? = nil, headDimension: Int
    ) throws -> RotaryConfiguration {
        let base = try parameters?.double("rope_theta") ?? base
        guard base > 0 else {
            throw ModelError(.malformed, at: path, "the rotary base is \(base); expected above 0.")
        }
        var rotary = RotaryConfiguration(
            base: base, scaling: try parameters.map { try rotaryScaling($0, original) } ?? .none)
        let key = "partial_rotary_factor"
        let share = try parameters?.double(key) ?? double(key) ?? share
        guard share > 0, share <= 1 else {
            throw ModelError(.malformed, at: path, "\"\(key)\" is \(share); expected above 0 and at most 1.")
        }
        let dimension = Int(Double(headDimension) * share)
        if dimension != headDimension { rotary.dimension = dimension }
        return rotary
    }

    /// The rotations of a model with a sliding window in some layers: that of layers with full attention, and that of the others.
    /// - Parameters:
    ///   - global: the default θ of the former.
    ///   - local: the default θ of the latter.
    func rotaries(
        global: Double, local: Double, headDimension: Int
    ) throws -> (global: RotaryConfiguration, local: RotaryConfiguration) {
        let kinds = try section("rope_parameters")
        var parameters = try kinds?.section("full_attention")
        if let scaling = try section("rope_scaling") { parameters = parameters?.updated(with: scaling) ?? scaling }
        return (
            try rotary(parameters, base: double("rope_theta") ?? global, headDimension: headDimension),
            try rotary(kinds?.section("sliding_attention"), base: local, headDimension: headDimension)
        )
    }

    private func rotaryScaling(
        _ parameters: ConfigurationJSON, _ original: Int?
    ) throws -> RotaryConfiguration.Scaling {
        switch try parameters.string("rope_type") ?? parameters.string("type") {
        case nil, "default": return .none
        case "linear": return .linear(factor: try parameters.positive("factor"))
        case "dynamic":
            return .dynamic(
                factor: try parameters.positive("factor"),
                originalPositions: try positivePositions(required("max_position_embeddings", int)))
        // Early Phi 3 files use these names for LongRoPE.
        case "yarn" where parameters.has("short_factor"), "longrope", "su":
            return .longRope(try longRope(parameters, original))
        case "yarn": return .yarn(try yarn(parameters, original))
        case "llama3":
            return .llama3(
                factor: try parameters.positive("factor"),
                lowFrequencyFactor: try parameters.positive("low_freq_factor"),
                highFrequencyFactor: try parameters.positive("high_freq_factor"),
                originalPositions: try originalPositions(parameters, original))
        case let other?:
            throw ModelError(
                .unsupported, at: path, "the rotary scaling \"\(other)\" is not supported.",
                advice: "Supported: default, linear, dynamic, yarn, longrope, llama3.")
        }
    }

    private func originalPositions(_ parameters: ConfigurationJSON, _ fallback: Int?) throws -> Int {
        let key = "original_max_position_embeddings"
        return try int(key) ?? fallback ?? parameters.int(key) ?? required("max_position_embeddings", int)
    }

    private func positivePositions(_ positions: Int) throws -> Int {
        guard positions > 0 else {
            throw ModelError(.malformed, at: path, "a rotary scaling of \(positions) positions; expected above 0.")
        }
        return positions
    }

    /// The ratio of the model's context to the original one.
    private func factor(_ parameters: ConfigurationJSON, original: Int) throws -> Double {
        if parameters.has("factor") { return try parameters.positive("factor") }
        return Double(try required("max_position_embeddings", int)) / Double(original)
    }

    private func yarn(_ parameters: ConfigurationJSON, _ original: Int?) throws -> RotaryConfiguration.YaRN {
        let original = try positivePositions(originalPositions(parameters, original))
        let factor = try factor(parameters, original: original)
        let suggested = RotaryConfiguration.YaRN.attentionFactor
        let (scale, whole) = (try parameters.double("mscale") ?? 0, try parameters.double("mscale_all_dim") ?? 0)
        var yarn = RotaryConfiguration.YaRN(
            factor: factor, originalPositions: original,
            attentionFactor: try parameters.double("attention_factor")
                ?? (scale != 0 && whole != 0
                    ? suggested(factor, scale) / suggested(factor, whole) : suggested(factor, 1)))
        yarn.betaFast = try parameters.double("beta_fast").flatMap { $0 == 0 ? nil : $0 } ?? yarn.betaFast
        yarn.betaSlow = try parameters.double("beta_slow").flatMap { $0 == 0 ? nil : $0 } ?? yarn.betaSlow
        yarn.truncates = try parameters.bool("truncate") ?? true
        return yarn
    }

    private func longRope(_ parameters: ConfigurationJSON, _ original: Int?) throws -> RotaryConfiguration.LongRope {
        let original = try positivePositions(originalPositions(parameters, original))
        let factor = try factor(parameters, original: original)
        return .init(
            short: try parameters.positives("short_factor"), long: try parameters.positives("long_factor"),
            originalPositions: original,
            attentionFactor: try parameters.double("attention_factor")
                ?? RotaryConfiguration.LongRope.attentionFactor(factor, originalPositions: original))
    }

    private func positive(_ key: String) throws -> Double {
        let value = try required(key, double)
        guard value > 0 else { throw ModelError(.malformed, at: path, "\"\(key)\" is \(value); expected above 0.") }
        return value
    }

    private func positives(_ key: String) throws -> [Double] {
        let values = try required(key, doubles)
        guard values.allSatisfy({ $0 > 0 }) else {
            throw ModelError(.malformed, at: path, "\"\(key)\" has a value that is not above 0.")
        }
        return values
    }
}

extension RotaryConfiguration.LongRope {
    /// The paper's default attention factor.
    static func attentionFactor(_ factor: Double, originalPositions: Int) -> Double {
        factor <= 1 ? 1 : (1 + log(factor) / log(Double(originalPositions))).squareRoot()
    }
}
