internal import Foundation

/// Which linear layers are adapted, as in PEFT's `target_modules`.
public enum LoRATargets: Sendable, Hashable {
    /// Layers whose full name is one of these, or ends in a dot followed by one: `q_proj`, `self_attn.o_proj`.
    case names([String])
    /// Layers whose full name (`model.layers.0.self_attn.q_proj`) a regular expression matches entirely.
    case pattern(String)
    /// Every linear layer except the head (`all-linear`).
    case allLinear

    /// Whether these are the names of all linear layers except the head of some architecture, which is what `all-linear` becomes
    /// in an adapter's file.
    package static func areAllLinear(_ names: [String]) -> Bool { Architecture.haveLinearNames(Set(names)) }

    /// Whether a layer is adapted, by its full name.
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
