/// What modules of a text model are called by transformers: `model.layers.0…` where it stands alone,
/// `model.language_model.layers.0…` where it is a part of a multimodal model. The head is `lm_head` in both.
enum ModuleNames {
    static let alonePrefix = "model."
    static let partPrefix = "model.language_model."
    /// The part's, before transformers 4.52.
    private static let oldPartPrefix = "language_model."

    /// A name of either kind as it is where the model stands alone.
    static func alone(_ name: String) -> String {
        if name.hasPrefix(partPrefix) { return alonePrefix + name.dropFirst(partPrefix.count) }
        return name.hasPrefix(oldPartPrefix) ? String(name.dropFirst(oldPartPrefix.count)) : name
    }
}

extension DecoderConfiguration {
    /// Begins the names of all modules but the head.
    var modulePrefix: String { isTextPart ? ModuleNames.partPrefix : ModuleNames.alonePrefix }
}
