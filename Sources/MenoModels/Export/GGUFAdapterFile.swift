package import Foundation
internal import MenoFormats
internal import MenoTensor

/// Adapters as llama.cpp loads them: GGUF files with pairs of `NAME.lora_a` and `NAME.lora_b`.
package enum GGUFAdapterFile {
    /// Whether a file is an adapter of this kind, judging by its name.
    package static func isOne(_ url: URL) -> Bool { url.pathExtension.lowercased() == "gguf" }

    /// The contents of such a file.
    package struct Summary: Sendable {
        package let architecture: String
        package let alpha: Double
        package let ranks: [Int]
        /// The number of adapted layers.
        package let layers: Int
    }

    /// - Returns: `nil` if the file is not an adapter.
    package static func summary(_ url: URL) throws -> Summary? {
        guard isOne(url), FileManager.default.fileExists(atPath: url.path) else { return nil }
        let file = try GGUFFile(contentsOf: url)
        guard try file.metadata.string("general.type", default: nil) == "adapter" else { return nil }
        let downs = file.weights.filter { $0.name.hasSuffix(".lora_a") }
        return Summary(
            architecture: try file.metadata.string("general.architecture"),
            alpha: try file.metadata.double("adapter.lora.alpha"),
            ranks: Set(downs.compactMap(\.shape.first)).sorted(), layers: downs.count)
    }

    /// Attaches an adapter to a model; every tensor must find its layer and fit it.
    package static func attach(_ url: URL, to model: Decoder) throws {
        let file = try GGUFFile(contentsOf: url)
        guard try file.metadata.string("general.type", default: nil) == "adapter",
            try file.metadata.string("adapter.type", default: nil) == "lora"
        else {
            throw ModelError(
                .unsupported, at: url.path, "is not a LoRA adapter.",
                advice: "It may be a model: give that as the model, and an adapter as the adapter.",
                settings: [.model, .adapter])
        }
        let alpha = try file.metadata.double("adapter.lora.alpha")
        var configuration = model.configuration
        configuration.isTextPart = false
        let form = GGUFForm(configuration)
        var remaining = Set(file.weights.map(\.name))
        for (layer, linear) in model.linears {
            let parameter = ModuleNames.alone(layer) + ".weight"
            let name = form.name(of: parameter)
            guard let down = file.weight(named: "\(name).lora_a"), let up = file.weight(named: "\(name).lora_b") else {
                continue
            }
            guard down.shape.count == 2, down.shape[1] == linear.inFeatures,
                up.shape == [linear.outFeatures, down.shape[0]]
            else {
                throw ModelError(
                    .mismatch, at: url.path,
                    "the adapter of \"\(name)\" has the shapes \(down.shape) and \(up.shape); the layer has "
                        + "\([linear.outFeatures, linear.inFeatures]).",
                    advice: "Was the adapter trained on another model?")
            }
            let rank = down.shape[0]
            var upValues = try values(file, up)
            form.read(parameter, &upValues, columns: rank, rows: linear.outFeatures)
            let tensor = { (values: [Float], shape: [Int]) in
                try Tensor(values, shape: shape).to(model.device).requiringGradient()
            }
            linear.adapter = LoRAAdapter(
                down: Parameter("\(layer).lora_A.weight", try tensor(values(file, down), down.shape)),
                up: Parameter("\(layer).lora_B.weight", try tensor(upValues, up.shape)),
                scaling: alpha == 0 ? 1 : alpha / Double(rank), dropout: 0)
            remaining.subtract([down.name, up.name])
        }
        if let stray = remaining.sorted().first {
            throw ModelError(
                .mismatch, at: url.path, "the tensor \"\(stray)\" does not belong to any layer of the model.",
                advice: "Was the adapter trained on another model?")
        }
    }

    private static func values(_ file: GGUFFile, _ info: WeightInfo) throws -> [Float] {
        try [Float](unsafeUninitializedCapacity: info.count) { buffer, initialized in
            try file.read(info.name, as: .float32, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = info.count
        }
    }
}
