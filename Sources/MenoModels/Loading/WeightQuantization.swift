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

    /// A matrix of these values.
    func matrix(_ values: Tensor) throws -> FrozenMatrix {
        guard FrozenMatrix.quantizes(values.shape) else { return FrozenMatrix(values) }
        switch kind {
        case .fourBits(let type, let nested): return try .fourBits(values, type: type, nested: nested)
        case .eightBits: return try .eightBits(values)
        }
    }
}
