package import MenoTensor

/// How linear layers are quantised while a model is loaded, tensor by tensor, as bitsandbytes does it. Embeddings and head are not.
package struct WeightQuantization: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case fourBits(FourBitType, nested: Bool)
        /// Of LLM.int8 (Dettmers et al., 2022, arXiv:2208.07339) the weights; activations are not quantised.
        case eightBits
    }

    package var kind: Kind
    /// Modules that stay as they are, by their names or the ends of these.
    package var skippedModules: [String]

    package init(_ kind: Kind, skippedModules: [String] = []) {
        self.kind = kind
        self.skippedModules = skippedModules
    }

    /// Whether the weight of a module is quantised.
    func includes(_ parameter: String) -> Bool {
        let module = parameter.hasSuffix(".weight") ? String(parameter.dropLast(".weight".count)) : parameter
        return !skippedModules.contains { ModuleNames.isOrHolds($0, module) }
    }

    /// Names of ``skippedModules`` that a model does not have.
    package func unknownModules(of model: Decoder) -> [String] {
        let modules = model.parameters.map(\.module)
        return skippedModules.filter { skipped in !modules.contains { ModuleNames.isOrHolds(skipped, $0) } }
    }

    /// A matrix whose rows are asked for a few at a time, in order; `nil` where its shape cannot be quantised.
    func matrix(_ shape: [Int], rows: (Range<Int>) throws -> Tensor) throws -> FrozenMatrix? {
        guard FrozenMatrix.quantizes(shape) else { return nil }
        switch kind {
        case .fourBits(let type, let nested):
            return try .fourBits(shape: shape, type: type, nested: nested, rows: rows)
        case .eightBits: return try .eightBits(shape: shape, rows: rows)
        }
    }
}
