public import MenoModels

extension RunConfiguration {
    /// The configuration of a run that goes on from `lora.init_adapter`: the settings of `lora` are the adapter's.
    /// - Throws: ``ConfigurationError`` where a key was given that the adapter contradicts.
    public func adopting(_ adapter: LoRASettings) throws -> RunConfiguration {
        guard let before = lora else { return self }
        var configuration = self
        var lora = before
        lora.rank = adapter.rank
        lora.alpha = adapter.alpha
        lora.dropout = adapter.dropout
        lora.targetModules = Self.chosen(before.targetModules, adapter.targets.texts)
        lora.usesRankStabilisation = adapter.usesRankStabilisation
        lora.usesDoRA = adapter.usesDoRA
        lora.layersToTransform = adapter.layersToTransform
        lora.rankPattern = adapter.rankPattern
        lora.alphaPattern = adapter.alphaPattern
        lora.modulesToSave = Self.chosen(before.modulesToSave, adapter.modulesToSave)
        configuration.lora = lora
        for key in ConfigurationKey.lora where givenLoRAKeys.contains(key.path) {
            let (given, real) = (key.write(self), key.write(configuration))
            guard given != real else { continue }
            throw ConfigurationError(
                place: key.path, "is \(given); the adapter of `lora.init_adapter` has \(real), and keeps it.",
                advice: "Leave `\(key.path)` out, or train a new adapter without `lora.init_adapter`.")
        }
        return configuration
    }

    /// Names in the order in which they were given, where they are the same: PEFT keeps none.
    private static func chosen(_ given: [String], _ names: [String]) -> [String] {
        Set(given) == Set(names) ? given : names.sorted()
    }
}

extension LoRATargets {
    /// As `lora.target_modules` has them.
    fileprivate var texts: [String] {
        switch self {
        case .names(let names): names
        case .pattern(let pattern): [pattern]
        case .allLinear: ["all-linear"]
        }
    }
}
