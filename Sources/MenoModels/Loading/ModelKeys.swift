package import Foundation
internal import MenoFormats

/// A model's configuration, from `config.json` or from a GGUF file's metadata, which uses other keys for the same values.
struct ModelKeys {
    let json: ConfigurationJSON?
    let gguf: GGUFKeys?

    init(_ json: ConfigurationJSON) { (self.json, gguf) = (json, nil) }
    init(_ gguf: GGUFKeys) { (json, self.gguf) = (nil, gguf) }

    var path: String { json?.path ?? gguf?.path ?? "" }

    /// - Parameters:
    ///   - key: the key of `config.json`.
    ///   - gguf: the key of GGUF metadata, without the architecture's prefix; `nil`: GGUF has no such key.
    ///   - fallback: the value if the key is missing. A key that is null has no value.
    func double(_ key: String, gguf name: String?, default fallback: Double? = nil) throws -> Double? {
        if let json { return json.isAbsent(key) ? fallback : try json.double(key) }
        return try name.flatMap { try gguf?.double($0) } ?? fallback
    }

    /// See ``double(_:gguf:default:)``.
    func int(_ key: String, gguf name: String?, default fallback: Int? = nil) throws -> Int? {
        if let json { return json.isAbsent(key) ? fallback : try json.int(key) }
        return try name.flatMap { try gguf?.int($0) } ?? fallback
    }

    /// `false` for a GGUF file, where the tensors show it.
    func bool(_ key: String) throws -> Bool { try json?.bool(key) ?? false }

    /// The number n if one in n layers has full attention.
    func windowPeriod(default fallback: Int) throws -> Int {
        let period = try json?.int("sliding_window_pattern") ?? gguf?.windowPeriod() ?? fallback
        guard period > 0 else {
            throw ModelError(.malformed, at: path, "\"sliding_window_pattern\" is \(period); expected above 0.")
        }
        return period
    }

    // MARK: Reading

    /// A complete configuration.
    func decoder(_ architecture: Architecture) throws -> DecoderConfiguration {
        var configuration = try json?.llama(architecture) ?? gguf!.llama(architecture)
        try architecture.adjust(&configuration, self)
        if configuration.chosenExpertCount > 0, try bool("output_router_logits"),
            let coefficient = architecture.defaults.routerLossCoefficient
        {
            configuration.routerLossCoefficient = try json?.double("router_aux_loss_coef") ?? coefficient
        }
        return try configuration.validated(path: path)
    }

    /// Gives a sliding window to the layers that the files list, or otherwise to those of a pattern.
    /// - Parameter size: the default size of the window.
    func setWindows(
        _ configuration: inout DecoderConfiguration, default size: Int?, where isWindow: (_ layer: Int) throws -> Bool
    ) throws {
        let window = try int("sliding_window", gguf: "attention.sliding_window", default: size)
        let named = try json?.strings("layer_types")?.map { $0 == "sliding_attention" } ?? gguf?.windowPattern()
        try configuration.changeLayers { layer, index in
            let isNamed = named.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            layer.attention.slidingWindow = try isNamed ?? isWindow(index) ? window : nil
        }
    }
}

extension DecoderConfiguration {
    /// Reads a Hugging Face `config.json`.
    package static func read(huggingFace url: URL) throws -> DecoderConfiguration {
        let json = try ConfigurationJSON(contentsOf: url)
        try json.requireReadableWeights()
        let type = try json.string("model_type") ?? json.modelTypeOfClass() ?? json.required("model_type", json.string)
        var architecture = try Architecture.named(modelType: type, path: json.path)
        let isPart = architecture.multimodalTypes.contains(type)
        let text = isPart ? try json.required("text_config", json.section) : json
        if isPart, let inner = try text.string("model_type") {
            architecture = try Architecture.named(modelType: inner, path: json.path)
        }
        var configuration = try ModelKeys(text).decoder(architecture)
        configuration.isTextPart = isPart
        configuration.attentionDropout = try text.double("attention_dropout") ?? 0
        return configuration
    }

    /// Reads the metadata of a GGUF file.
    static func read(gguf file: GGUFFile, path: String) throws -> DecoderConfiguration {
        let keys = try GGUFKeys(file, path: path)
        return try ModelKeys(keys).decoder(
            Architecture.named(
                gguf: keys.architecture, hasExperts: keys.int("expert_count") ?? 0 > 0, path: keys.path))
    }
}

extension ConfigurationJSON {
    /// Refuses weights with an unsupported quantisation.
    fileprivate func requireReadableWeights() throws {
        guard let quantization = try section("quantization_config") else { return }
        let method = try quantization.string("quant_method")
        // Early bitsandbytes files do not name a method.
        let isBitsandbytes = try quantization.bool("load_in_4bit") ?? quantization.bool("load_in_8bit") ?? false
        if method == "bitsandbytes" || (method == nil && isBitsandbytes) { return }
        // MXFP4 is decoded while the weights are read.
        if method == "mxfp4" { return }
        throw ModelError(
            .unsupported, at: path,
            "its weights are quantised by \(method ?? "an unnamed method") (\"quantization_config\"), which Meno does not read.",
            advice: "Give the unquantised model, which can be quantised while it is loaded, or a .gguf "
                + "file.")
    }

    /// The `model_type` of the class that `architectures` names, for a file without a `model_type`.
    fileprivate func modelTypeOfClass() throws -> String? {
        let classes = try strings("architectures") ?? []
        return Architecture.all.first { classes.contains($0.className) }?.modelType
    }
}
