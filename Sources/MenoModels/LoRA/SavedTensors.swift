internal import Foundation
internal import MenoFormats
internal import MenoTensor

/// The tensors of an adapter's file by PEFT's names. Each must be taken exactly once.
final class SavedTensors {
    private struct Place {
        /// The name in the file.
        var stored: String
        /// PEFT's name, without its prefix.
        var name: String
        var isTransposed: Bool
    }

    let path: String
    /// Places by the names in a standalone text model.
    private let places: [String: Place]
    private var remaining: Set<String>
    private let file: SafetensorsFile
    private let device: Device
    /// Advice for errors about missing or mismatched tensors.
    private let advice: String

    init(_ folder: URL, device: Device, advice: String) throws {
        let (url, isOfMLX) = try Self.weights(in: folder)
        file = try SafetensorsFile(contentsOf: url)
        path = url.path
        self.device = device
        self.advice = advice
        let all = file.weights.map(\.name)
        let prefix = LoRAFiles.prefix
        let places = all.compactMap { stored -> Place? in
            if isOfMLX {
                let (name, isTransposed) = MLXAdapter.name(stored)
                return Place(stored: stored, name: name, isTransposed: isTransposed)
            }
            guard stored.hasPrefix(prefix) else { return nil }
            return Place(stored: stored, name: String(stored.dropFirst(prefix.count)), isTransposed: false)
        }
        self.places = Dictionary(
            places.map { (ModuleNames.alone($0.name), $0) }, uniquingKeysWith: { first, _ in first })
        remaining = Set(all)
    }

    private static func weights(in folder: URL) throws -> (url: URL, isOfMLX: Bool) {
        let hasFile = { (name: String) in FileManager.default.fileExists(atPath: folder.appending(path: name).path) }
        let url = folder.appending(path: LoRAFiles.weightsName)
        if hasFile(LoRAFiles.weightsName) { return (url, false) }
        if hasFile(MLXAdapter.weightsName) { return (folder.appending(path: MLXAdapter.weightsName), true) }
        let pickle = "adapter_model.bin"
        guard hasFile(pickle) else {
            throw ModelError(
                .notFound, at: url.path, "does not exist.",
                advice: "An adapter is a folder with \(LoRAFiles.configurationName) and \(LoRAFiles.weightsName).")
        }
        throw ModelError(
            .unsupported, at: folder.appending(path: pickle).path,
            "is a Python pickle, which Meno does not load because it can run arbitrary code.",
            advice: "Convert it in that folder: python -c 'import torch; from safetensors.torch import save_file; "
                + "save_file({k: v.clone().contiguous() for k, v in torch.load(\"\(pickle)\", weights_only=True).items()}, "
                + "\"\(LoRAFiles.weightsName)\")'")
    }

    private func place(_ name: String) -> Place? { places[ModuleNames.alone(name)] }

    /// PEFT's name of the module of the file, without its prefix.
    func savedName(_ name: String) -> String? { place(name)?.name }

    func has(_ name: String) -> Bool { place(name) != nil }

    /// The shape of a tensor in the file; `nil` if it is not there.
    func shape(_ name: String) -> [Int]? {
        place(name).flatMap { place in
            file.weight(named: place.stored).map { place.isTransposed ? $0.shape.reversed() : $0.shape }
        }
    }

    func take(_ name: String, _ shape: [Int]) throws -> Parameter {
        defer { passOver(name) }
        return Parameter(name, try read(name, shape).requiringGradient())
    }

    func passOver(_ name: String) { if let place = place(name) { remaining.remove(place.stored) } }

    /// In float32.
    func read(_ name: String, _ shape: [Int]) throws -> Tensor {
        guard let place = place(name), let found = self.shape(name), let info = file.weight(named: place.stored) else {
            throw ModelError(.mismatch, at: path, "has no tensor \"\(LoRAFiles.prefix)\(name)\".", advice: advice)
        }
        guard found == shape else {
            throw ModelError(
                .mismatch, at: path,
                "the tensor \"\(place.stored)\" has the shape \(info.shape); the model needs "
                    + "\(place.isTransposed ? shape.reversed() : shape).", advice: advice)
        }
        let tensor = try Tensor(uninitialized: info.shape, dtype: .float32)
        try tensor.withMutableBytes { try file.read(place.stored, as: .float32, into: $0) }
        return try (place.isTransposed ? tensor.transposed().contiguous() : tensor).to(device)
    }

    /// Throws if a tensor was not taken.
    func requireAll() throws {
        let strays = remaining.sorted()
        guard let first = strays.first else { return }
        let unsupported = [
            (
                "lora_embedding_", "adapts the embedding, which is not supported",
                "Train all of it: name it in modules_to_save."
            ),
            (
                "embed_tokens.lora_", "adapts the embedding, which is not supported",
                "Train all of it: name it in modules_to_save."
            ),
            (
                "embed_tokens.base_layer", "belongs to an adapter of the embedding, which is not supported",
                "Train all of it: name it in modules_to_save."
            ),
            (
                "lm_head.lora_", "adapts the head, which is not supported",
                "Train all of it: name it in modules_to_save."
            ),
            (
                "vision_tower.", "belongs to the vision part of the model, which Meno does not have",
                "Train with target_modules that name layers of the language_model only."
            ),
            (
                ".lora_magnitude_vector", "belongs to DoRA, but \"use_dora\" is not set in adapter_config.json",
                "Is the configuration that of another adapter?"
            ),
            (
                "_experts.", "adapts experts, which this model does not have",
                "Was the adapter trained on another model?"
            ),
        ]
        for (part, reason, advice) in unsupported {
            guard let stray = strays.first(where: { $0.contains(part) }) else { continue }
            throw ModelError(.unsupported, at: path, "the tensor \"\(stray)\" \(reason).", advice: advice)
        }
        throw ModelError(
            .mismatch, at: path,
            "the tensor \"\(first)\" does not belong to any adapter or trained module.", advice: advice)
    }
}
