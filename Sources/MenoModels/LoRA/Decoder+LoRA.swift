internal import MenoErrors

extension Decoder {
    /// Attaches new adapters, which do not change the output yet, and freezes everything except the modules to save.
    ///
    /// Initialised from the default generator in the order of the layers: the same seed gives the same adapters.
    /// - Returns: the settings, resolved for this model.
    @discardableResult
    package func attachLoRA(_ settings: LoRASettings) throws -> LoRASettings {
        var settings = try resolved(settings.validated()).validated()
        var attached = 0
        for (name, linear) in linears where try settings.includes(name) {
            linear.adapter = try LoRAAdapter.initialized(
                layer: name, linear: linear, settings: settings, device: device)
            attached += 1
        }
        attached += try attachToParameters(settings)
        guard attached > 0 else {
            throw ModelError(
                .mismatch,
                "the target modules match no layer of the model that is not excluded.",
                advice: "Its linear layers are \(linearKinds.joined(separator: ", ")); or write \"all-linear\".",
                settings: [.targetModules, .layersToTransform, .excludedModules])
        }
        try checkNames(settings)
        // Write names: in a multimodal model, `all-linear` would include the other parts too.
        if settings.targets == .allLinear { settings.targets = .names(configuration.architecture.names.linearNames) }
        settings.modulesToSave = try modulesTrainedWhole(settings.modulesToSave)
        try refuseLayersSavedWhole(settings)
        for parameter in parameters where isSaved(parameter, settings) { try parameter.train() }
        return settings
    }

    /// A layer is either adapted or fully trained, not both: PEFT would load a different model.
    func refuseLayersSavedWhole(_ settings: LoRASettings) throws {
        let both = adapters.map(\.layer).filter { layer in
            settings.modulesToSave.contains { ModuleNames.isOrHolds($0, layer) }
        }
        try refuse(
            Array(Set(both.compactMap { $0.split(separator: ".").last.map(String.init) })).sorted(),
            of: .modulesToSave, "are both modules to save and adapted",
            advice: "Leave them out of one of the two.")
    }

    /// The last components of the linear layers' names.
    private var linearKinds: [String] {
        Set(linears.map { $0.name.split(separator: ".").last.map(String.init) ?? $0.name }).sorted()
    }

    /// A name that matches nothing is an error even if others match: the layer that it was meant for would not be adapted.
    private func checkNames(_ settings: LoRASettings) throws {
        if case .names(let names) = settings.targets {
            let unmatched = try names.filter { name in
                try !linears.contains { try LoRATargets.names([name]).includes($0.name) }
            }
            let meant = unmatched.compactMap { nearestName(to: $0, among: linearKinds) }
            try refuse(
                unmatched, of: .targetModules, "are target modules that match no layer of the model",
                advice: (meant.isEmpty ? "" : "Did you mean \(meant.joined(separator: ", "))? ")
                    + "Its linear layers are \(linearKinds.joined(separator: ", ")).")
        }
        try refuse(
            settings.targetParameters.filter { name in !parameterTargets.contains { $0.isMeant(by: name) } },
            of: .targetParameters, "are target parameters that the model does not have",
            advice: experts.isEmpty
                ? "It has no experts: its linear layers are target modules."
                : "For example \(experts[0].targets.map { $0.name.split(separator: ".").suffix(2).joined(separator: ".") }.joined(separator: ", "))."
        )
        if case .names(let names) = settings.excludedModules {
            let unmatched = try names.filter { name in
                try !linears.contains { try LoRATargets.names([name]).includes($0.name) }
            }
            try refuse(
                unmatched, of: .excludedModules, "are excluded modules that match no layer of the model",
                advice: "Its linear layers are \(linearKinds.joined(separator: ", ")).")
        }
        let layers = (settings.layersToTransform ?? []).filter { !(0..<configuration.layerCount).contains($0) }
        try refuse(
            layers.map(String.init), of: .layersToTransform, "are layers to transform that the model does not have",
            advice: "It has layers 0 to \(configuration.layerCount - 1).")
        let adapted = adapters.map(\.layer)
        let advice = "A pattern must match the end of an adapted layer's name: a target module, for example."
        try refuse(
            settings.rankPattern.unmatched(among: adapted), of: .rankPattern,
            "are rank patterns that match no adapted layer",
            advice: advice)
        try refuse(
            settings.alphaPattern.unmatched(among: adapted), of: .alphaPattern,
            "are alpha patterns that match no adapted layer",
            advice: advice)
    }

    private func refuse(_ names: [String], of setting: Setting, _ what: String, advice: String) throws {
        guard !names.isEmpty else { return }
        let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
        throw ModelError(.mismatch, "these \(what): \(list).", advice: advice, settings: [setting])
    }

    /// Checks names of modules, and includes both of a head and an embedding that share weights, so that PEFT keeps them equal.
    private func modulesTrainedWhole(_ names: [String]) throws -> [String] {
        for name in names where !parameters.contains(where: { $0.belongs(to: name) }) && name != "lm_head" {
            throw ModelError(
                .mismatch, "the model has no module \"\(name)\" to save.",
                advice: "For example embed_tokens, lm_head, norm, mlp.", settings: [.modulesToSave])
        }
        return withTiedModules(names)
    }

    /// Names both the head and the embedding if they share weights and one of them is named.
    func withTiedModules(_ names: [String]) -> [String] {
        let both = ["embed_tokens", "lm_head"]
        // PEFT itself names the embedding twice, as `embed_tokens` and `model.embed_tokens`.
        let isEither = { (name: String) in both.contains(String(name.split(separator: ".").last ?? "")) }
        guard configuration.tiesEmbeddings, names.contains(where: isEither) else { return names }
        return names.filter { !isEither($0) } + both
    }

    /// Whether a parameter is trained as part of a module that is saved whole.
    func isSaved(_ parameter: Parameter, _ settings: LoRASettings) -> Bool {
        !parameter.name.contains(".lora_") && settings.modulesToSave.contains { parameter.belongs(to: $0) }
    }

    /// The adapters by the name of their layer.
    package var adapters: [(layer: String, adapter: LoRAAdapter)] {
        layers.flatMap { layer in
            layer.linears.compactMap { name, linear in linear.adapter.map { (name, $0) } }
                + (layer.experts?.adapters ?? [])
        }
    }
}
