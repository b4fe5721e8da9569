/// transformers' names of a text model's modules: `model.layers.0…` in a standalone model, `model.language_model.layers.0…` in a
/// part of a multimodal one. The head is `lm_head` in both.
enum ModuleNames {
    static let alonePrefix = "model."
    static let partPrefix = "model.language_model."
    /// The prefix of a part before transformers 4.52.
    private static let oldPartPrefix = "language_model."

    /// Turns a name in a standalone model into the name in a part of a multimodal one.
    static func part(_ name: String) -> String {
        name.hasPrefix(alonePrefix) ? partPrefix + name.dropFirst(alonePrefix.count) : name
    }

    /// Turns a name of either kind into the name in a standalone model.
    static func alone(_ name: String) -> String {
        if name.hasPrefix(partPrefix) { return alonePrefix + name.dropFirst(partPrefix.count) }
        return name.hasPrefix(oldPartPrefix) ? String(name.dropFirst(oldPartPrefix.count)) : name
    }
}

extension DecoderConfiguration {
    /// transformers' name of a part of this model, without `.weight`.
    func moduleName(_ part: WeightPart, layer: Int? = nil, expert: Int? = nil) -> String {
        let name = architecture.names.transformers(part, layer: layer, expert: expert)
        return isTextPart ? ModuleNames.part(name) : name
    }

    /// transformers' name of a module of a layer.
    func moduleName(_ module: String, layer: Int) -> String {
        let name = "\(architecture.names.layerPrefix)\(layer).\(module)"
        return isTextPart ? ModuleNames.part(name) : name
    }
}
