package import Foundation
internal import MenoFormats
package import MenoTensor

/// The files of a model: a Hugging Face folder or a GGUF file.
package struct ModelFiles: Sendable {
    package let url: URL
    package let configuration: DecoderConfiguration
    private let weights: any WeightSource
    private let map: WeightMap

    /// Opens a model's files and reads its configuration; the weights stay on disk until
    /// ``load(dtype:form:quantization:device:)``.
    /// - Parameter url: a folder with `config.json` and safetensors, or a `.gguf` file.
    package init(_ url: URL) throws {
        self.url = url
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw ModelError(
                .notFound, at: url.path, "does not exist.",
                advice: "A model is a Hugging Face folder, a .gguf file, or a name that `meno models list` shows.")
        }
        if isFolder.boolValue {
            var configuration = try DecoderConfiguration.read(huggingFace: url.appending(path: "config.json"))
            weights = try WeightFiles.open(url)
            map = .huggingFace(weights, configuration.architecture.names)
            // As in transformers, the weights take precedence over the configuration.
            if configuration.tiesEmbeddings, try map.hasOwnHead(weights, configuration.architecture.names) {
                configuration.tiesEmbeddings = false
            }
            self.configuration = configuration
        } else if url.pathExtension.lowercased() == "gguf" {
            let file = try GGUFFile(contentsOf: url)
            configuration = try .read(gguf: file, path: url.path)
            weights = file
            map = .gguf(configuration)
        } else {
            throw ModelError(
                .unsupported, at: url.path, "is neither a folder nor a .gguf file.",
                advice: "Give the folder that holds config.json and the safetensors files.")
        }
    }

    /// Every weight as the file stores it.
    package var storedWeights: [(name: String, shape: [Int], storage: String)] {
        weights.weights.map { ($0.name, $0.shape, $0.storage) }
    }

    /// The number of weights, shared ones counted once.
    package var parameterCount: Int { weights.weights.reduce(0) { $0 + $1.count } }

    /// Reads the weights.
    /// - Parameters:
    ///   - dtype: the type of frozen weights, and of the computation too where the device is fast with it: float32, bfloat16 or
    ///     float16.
    ///   - form: whether matrices that are packed in the file stay packed.
    ///   - quantization: how linear layers are quantised; `nil`: not at all.
    ///   - computeType: the type of activations with packed weights; `nil`: the one that this device multiplies fastest.
    ///   - device: the device that holds the weights.
    /// - Throws: ``ModelError`` if `form` is packed and the file's weights are not, or the device is not the CPU.
    package func load(
        dtype: DType, form: WeightForm = .dense, quantization: WeightQuantization? = nil, computeType: DType? = nil,
        device: Device = .cpu
    ) throws -> Decoder {
        var (form, quantization) = (form, quantization)
        if let wanted = quantization, hasForm(of: wanted) {
            // The file already has the requested form.
            (form, quantization) = (.packed, nil)
        }
        if quantization != nil {
            guard device.kind == .cpu else {
                throw ModelError(
                    .unsupported, at: url.path, "quantised weights can be held on the CPU only, not on \(device).",
                    advice: "Compute on the CPU, or leave the weights as they are.")
            }
            guard !hasPackedWeights(quantized: true) else {
                throw ModelError(
                    .unsupported, at: url.path, "its weights are already quantised.",
                    advice: "Keep them packed, or give a model that is not quantised.")
            }
        }
        if form == .packed {
            guard hasPackedWeights() else {
                throw ModelError(
                    .unsupported, at: url.path, "has no quantised weights that could stay packed.",
                    advice:
                        "Give a .gguf file with quantised weights or a model quantised with bitsandbytes, or use "
                        + "dense weights.")
            }
            guard device.kind == .cpu else {
                throw ModelError(
                    .unsupported, at: url.path, "its weights can stay packed on the CPU only, not on \(device).",
                    advice: "Compute on the CPU, or use dense weights.")
            }
        }
        return try Decoder(
            configuration, weights: weights, map: map, path: url.path, weightType: dtype,
            computeType: form == .packed || quantization != nil ? computeType : nil, form: form,
            quantization: quantization, device: device)
    }

    /// Whether any matrix can stay packed.
    /// - Parameter quantized: whether to leave out float16, which is not quantised.
    package func hasPackedWeights(quantized: Bool = false) -> Bool {
        if weights is BitsandbytesWeights { return true }
        guard let source = weights as? any PackedWeightSource else { return false }
        return weights.weights.contains { info in
            guard let type = source.packing(of: info.name)?.type, let format = FrozenMatrix.Format(rawValue: type)
            else {
                return false
            }
            return !quantized || format != .F16
        }
    }

    /// Whether the weights are quantised by bitsandbytes. transformers keeps such weights packed in memory.
    package var isQuantizedByBitsandbytes: Bool { weights is BitsandbytesWeights }

    /// Whether the weights in the file are already quantised in this way.
    private func hasForm(of quantization: WeightQuantization) -> Bool {
        guard let source = weights as? BitsandbytesWeights else { return false }
        return source.weights.allSatisfy { info in
            switch (source.matrix(named: info.name)?.kind, quantization.kind) {
            case (nil, _), (.eightBits, .eightBits), (.fourBits, .fourBits): true
            default: false
            }
        }
    }
}
