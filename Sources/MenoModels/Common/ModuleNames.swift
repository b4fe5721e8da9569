/// What modules of a text model are called by transformers: `model.layers.0…` where it stands alone,
/// `model.language_model.layers.0…` where it is a part of a multimodal model. The head is `lm_head` in both.
enum ModuleNames {
    static let alonePrefix = "model."
    static let partPrefix = "model.language_model."
    /// The part's, before transformers 4.52.
    private static let oldPartPrefix = "language_model."

    /// A name of a model that stands alone as it is where that is a part of a multimodal one.
    static func part(_ name: String) -> String {
        name.hasPrefix(alonePrefix) ? partPrefix + name.dropFirst(alonePrefix.count) : name
    }

    /// A name of either kind as it is where the model stands alone.
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
