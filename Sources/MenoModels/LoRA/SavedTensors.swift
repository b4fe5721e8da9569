internal import Foundation
internal import MenoFormats
internal import MenoTensor

/// The tensors of an adapter's file, each taken once.
final class SavedTensors {
    let path: String
    /// Names without PEFT's prefix, by those in a text model alone.
    private let names: [String: String]
    private var remaining: Set<String>
    private let file: SafetensorsFile
    private let device: Device
    /// What may be wrong where a tensor is missing or does not fit.
    private let advice: String

    init(_ folder: URL, device: Device, advice: String) throws {
        let url = folder.appending(path: LoRAFiles.weightsName)
        file = try SafetensorsFile(contentsOf: url)
        path = url.path
        self.device = device
        self.advice = advice
        let all = file.weights.map(\.name)
        let prefix = LoRAFiles.prefix
        let short = all.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        names = Dictionary(short.map { (ModuleNames.alone($0), $0) }, uniquingKeysWith: { first, _ in first })
        remaining = Set(all)
    }

    /// The name in the file, without PEFT's prefix.
    func savedName(_ name: String) -> String? { names[ModuleNames.alone(name)] }

    func has(_ name: String) -> Bool { savedName(name) != nil }

    func take(_ name: String, _ shape: [Int]) throws -> Parameter {
        defer { passOver(name) }
        return Parameter(name, try read(name, shape).requiringGradient())
    }

    func passOver(_ name: String) { remaining.remove(LoRAFiles.prefix + (savedName(name) ?? name)) }

    /// In float32.
    func read(_ name: String, _ shape: [Int]) throws -> Tensor {
        let saved = LoRAFiles.prefix + (savedName(name) ?? name)
        guard let info = file.weight(named: saved) else {
            throw ModelError(.mismatch, path: path, "has no tensor \"\(saved)\".", advice: advice)
        }
        guard info.shape == shape else {
            throw ModelError(
                .mismatch, path: path,
                "the tensor \"\(saved)\" has the shape \(info.shape); the model asks for \(shape).", advice: advice)
        }
        let tensor = try Tensor(uninitialized: shape, dtype: .float32)
        try tensor.withMutableBytes { try file.read(saved, as: .float32, into: $0) }
        return try tensor.to(device)
    }

    /// Throws where a tensor was not taken.
    func requireAll() throws {
        let strays = remaining.sorted()
        guard let first = strays.first else { return }
        let unsupported = [
            ("lora_embedding_", "adapts the embedding, which is not supported", "Train it whole, by modules_to_save."),
            ("lm_head.lora_", "adapts the head, which is not supported", "Train it whole, by modules_to_save."),
            (
                "vision_tower.", "belongs to the part of the model that sees, which Meno does not have",
                "Train with target_modules that name layers of the language_model only."
            ),
        ]
        for (part, reason, advice) in unsupported {
            guard let stray = strays.first(where: { $0.contains(part) }) else { continue }
            throw ModelError(.unsupported, path: path, "the tensor \"\(stray)\" \(reason).", advice: advice)
        }
        throw ModelError(
            .mismatch, path: path,
            "the tensor \"\(first)\" belongs to no adapter or module that is trained.", advice: advice)
    }
}
