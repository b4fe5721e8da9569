package import MenoTensor

/// How linear layers are quantised while a model is loaded, tensor by tensor, as in bitsandbytes. Embeddings and the head are
/// not.
package struct WeightQuantization: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case fourBits(FourBitType, nested: Bool)
        /// The weights of LLM.int8 (Dettmers et al., 2022, arXiv:2208.07339); activations are not quantised.
        case eightBits
    }

    package var kind: Kind
    /// Modules that are not quantised, by full name or the end of one.
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

    /// A quantised matrix, from rows that are read a few at a time and in order; `nil` if its shape cannot be quantised.
    func matrix(_ shape: [Int], rows: (Range<Int>) throws -> Tensor) throws -> FrozenMatrix? {
        guard FrozenMatrix.quantizes(shape) else { return nil }
        switch kind {
        case .fourBits(let type, let nested):
            return try .fourBits(shape: shape, type: type, nested: nested, rows: rows)
        case .eightBits: return try .eightBits(shape: shape, rows: rows)
        }
    }
}
