internal import Foundation

/// Which linear layers are adapted, as PEFT's `target_modules` says it.
public enum LoRATargets: Sendable, Hashable {
    /// Layers whose full name is, or ends in a dot and, one of these: `q_proj`, `self_attn.o_proj`.
    case names([String])
    /// Layers whose full name (`model.layers.0.self_attn.q_proj`) a regular expression matches entirely.
    case pattern(String)
    /// Every linear layer but the head (`all-linear`).
    case allLinear

    /// Whether these names are those of all linear layers but the head of some architecture: what `all-linear` becomes in
    /// an adapter's file.
    package static func areAllLinear(_ names: [String]) -> Bool { Architecture.haveLinearNames(Set(names)) }

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
