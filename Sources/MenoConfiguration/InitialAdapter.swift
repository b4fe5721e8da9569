package import MenoModels

extension RunConfiguration {
    /// The configuration of a run that starts from `lora.init_adapter`, with the adapter's settings in `lora`.
    /// - Throws: ``ConfigurationError`` if a given key contradicts the adapter.
    package func adopting(_ adapter: LoRASettings) throws -> RunConfiguration {
        guard let before = lora else { return self }
        var configuration = self
        var lora = before
        lora.settings = adapter
        // The saved adapter contains both the head and the embedding.
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
                .invalid, at: key.path,
                "is \(given); the adapter of `lora.init_adapter` has \(real), which cannot be changed.",
                advice: "Leave `\(key.path)` out, or train a new adapter without `lora.init_adapter`.")
        }
        return configuration
    }

    /// The names as given, if they mean the same as the adapter's, which keeps neither their order nor their spelling.
    private static func chosen(
        _ given: [String], _ names: [String], meaning: ([String]) -> Set<String>
    ) -> [String] {
        meaning(given) == meaning(names) ? given : names.sorted()
    }

    /// The layers that names in `target_modules` stand for.
    private static func layers(_ names: [String]) -> Set<String> {
        LoRATargets.areAllLinear(names) ? ["all-linear"] : Set(names)
    }

    /// A name in `modules_to_save` without its prefix. A head that shares the embedding's weights has both names.
    private static func module(_ name: String) -> String {
        let name = name.hasPrefix("model.") ? String(name.dropFirst("model.".count)) : name
        return name == "lm_head" ? "embed_tokens" : name
    }
}

extension LoRATargets {
    /// The texts of `lora.target_modules` or `lora.exclude_modules`.
    fileprivate var texts: [String] {
        switch self {
        case .names(let names): names
        case .pattern(let pattern): [pattern]
        case .allLinear: ["all-linear"]
        }
    }

    /// Whether a text of `lora.target_modules` is a regular expression: names of layers have letters, digits, `_`, `-` and `.`.
    static func isPattern(_ text: String) -> Bool { text.contains { #"*+?|()[]{}\^$"#.contains($0) } }

    /// The targets that texts of `lora.target_modules` describe.
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
