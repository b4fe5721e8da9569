package import MenoModels

extension RunConfiguration {
    /// The configuration of a run that goes on from `lora.init_adapter`: the settings of `lora` are the adapter's.
    /// - Throws: ``ConfigurationError`` where a key was given that the adapter contradicts.
    package func adopting(_ adapter: LoRASettings) throws -> RunConfiguration {
        guard let before = lora else { return self }
        var configuration = self
        var lora = before
        lora.settings = adapter
        // What is saved holds the head and the embedding both.
        lora.settings.ensuresWeightTying = before.settings.ensuresWeightTying
        lora.targetModules = Self.chosen(before.targetModules, adapter.targets.texts, meaning: Self.layers)
        lora.targetParameters = Self.chosen(before.targetParameters, adapter.targetParameters) { Set($0) }
        lora.excludedModules = Self.chosen(before.excludedModules, lora.excludedModules) { Set($0) }
        lora.modulesToSave = Self.chosen(before.modulesToSave, adapter.modulesToSave) { Set($0.map(Self.module)) }
        configuration.lora = lora
        for key in ConfigurationKey.lora where givenLoRAKeys.contains(key.path) {
            let (given, real) = (key.write(self), key.write(configuration))
            guard given != real else { continue }
            throw ConfigurationError(
                .invalid, at: key.path, "is \(given); the adapter of `lora.init_adapter` has \(real), and keeps it.",
                advice: "Leave `\(key.path)` out, or train a new adapter without `lora.init_adapter`.")
        }
        return configuration
    }

    /// Names as they were given, where they mean the same: an adapter keeps neither their order nor how they were said.
    private static func chosen(
        _ given: [String], _ names: [String], meaning: ([String]) -> Set<String>
    ) -> [String] {
        meaning(given) == meaning(names) ? given : names.sorted()
    }

    /// What names of `target_modules` stand for.
    private static func layers(_ names: [String]) -> Set<String> {
        LoRATargets.areAllLinear(names) ? ["all-linear"] : Set(names)
    }

    /// A name of `modules_to_save` without what may stand before it. A head that is the embedding goes by both names.
    private static func module(_ name: String) -> String {
        let name = name.hasPrefix("model.") ? String(name.dropFirst("model.".count)) : name
        return name == "lm_head" ? "embed_tokens" : name
    }
}

extension LoRATargets {
    /// As `lora.target_modules` and `lora.exclude_modules` have them.
    fileprivate var texts: [String] {
        switch self {
        case .names(let names): names
        case .pattern(let pattern): [pattern]
        case .allLinear: ["all-linear"]
        }
    }

    /// Whether a text of `lora.target_modules` is a regular expression: names of layers have letters, digits, `_`, `-` and `.`.
    static func isPattern(_ text: String) -> Bool { text.contains { #"*+?|()[]{}\^$"#.contains($0) } }

    /// What texts of `lora.target_modules` say.
    init(_ texts: [String]) {
        if texts == ["all-linear"] {
            self = .allLinear
        } else if texts.count == 1, Self.isPattern(texts[0]) {
            self = .pattern(texts[0])
        } else {
            self = .names(texts)
        }
    }
}

extension RunConfiguration.LoRA {
    /// `lora.target_modules`: names, one regular expression, or `all-linear`.
    package var targetModules: [String] {
        get { settings.targets.texts }
        set { settings.targets = LoRATargets(newValue) }
    }

    /// `lora.exclude_modules`.
    package var excludedModules: [String] {
        get { settings.excludedModules?.texts ?? [] }
        set { settings.excludedModules = newValue.isEmpty ? nil : LoRATargets(newValue) }
    }
}
