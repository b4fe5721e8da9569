internal import Foundation
package import MenoFormats
package import MenoModels

/// Writes a model, its adapter merged into it, as a Hugging Face folder: weights in safetensors, and `config.json`.
package struct HuggingFaceExport {
    package let merged: MergedModel
    /// What every weight is stored in.
    package let elementType: WeightElementType
    /// Bytes of the largest file of weights, unless one tensor alone is larger.
    package let shardLimit: Int

    /// - Parameter elementType: `nil`: what the base has most of, or bfloat16 where that is quantised.
    package init(_ merged: MergedModel, elementType: WeightElementType?, shardLimit: Int = 5_000_000_000) {
        self.merged = merged
        self.elementType = elementType ?? Self.elementType(of: merged.model)
        self.shardLimit = shardLimit
    }

    private static func elementType(of model: StoredModel) -> WeightElementType {
        var counts: [WeightElementType: Int] = [:]
        for parameter in model.parameters where parameter.isMatrix {
            let type: WeightElementType =
                switch parameter.stored.storage {
                case "F32": .float32
                case "F16": .float16
                default: .bfloat16
                }
            counts[type, default: 0] += parameter.count
        }
        return counts.max { $0.value < $1.value }?.key ?? .bfloat16
    }

    /// - Returns: the bytes of all weights' files.
    package func write(to stage: ExportStage, onProgress: (Double) -> Void = { _ in }) throws -> Int {
        let shards = shards()
        var places: [(tensor: String, shard: String)] = []
        var size = 0
        let total = merged.tensors.reduce(0) { $0 + $1.count }
        var done = 0
        for (index, shard) in shards.enumerated() {
            let name = shards.count == 1 ? "model.safetensors" : Self.name(index, of: shards.count)
            let writer = try SafetensorsWriter(
                to: stage.url(name), tensors: shard.map { .init($0.name, .init(elementType), $0.shape) },
                metadata: ["format": "pt"])
            for tensor in shard {
                try write(tensor, writer)
                places.append((tensor.name, name))
                done += tensor.count
                onProgress(Double(done) / Double(max(1, total)))
            }
            try writer.finish(synchronize: true)
            size += writer.fileSize
        }
        if shards.count > 1 { try writeIndex(places, total: total * elementType.size, to: stage) }
        try stage.write(configuration(), to: "config.json")
        return size
    }

    private func write(_ tensor: MergedTensor, _ writer: SafetensorsWriter) throws {
        let type: GGUFTensorType =
            switch elementType {
            case .float32: .F32
            case .bfloat16: .BF16
            case .float16: .F16
            }
        let form = merged.model.gguf.map { _ in GGUFForm(merged.model.configuration) }
        let together = { (parameter: StoredModel.Parameter) in
            form?.rowsTogether(parameter.name, rows: parameter.rows) ?? 1
        }
        var offset = 0
        try merged.forEachPart(of: tensor, together: together) { values in
            try values.encoded(as: type) { bytes in
                try writer.write(tensor.name, bytes, at: offset)
                offset += bytes.count
            }
        }
    }

    private static func name(_ index: Int, of count: Int) -> String {
        let padded = { (number: Int) in String(repeating: "0", count: max(0, 5 - "\(number)".count)) + "\(number)" }
        return "model-\(padded(index + 1))-of-\(padded(count)).safetensors"
    }

    /// The weights of each file.
    private func shards() -> [[MergedTensor]] {
        var shards: [[MergedTensor]] = []
        var size = Int.max
        for tensor in merged.tensors {
            let bytes = tensor.count * elementType.size
            if shards.isEmpty || size + bytes > shardLimit {
                shards.append([])
                size = 0
            }
            shards[shards.count - 1].append(tensor)
            size += bytes
        }
        return shards
    }

    private func writeIndex(_ places: [(tensor: String, shard: String)], total: Int, to stage: ExportStage) throws {
        let map = Dictionary(places.map { ($0.tensor, $0.shard) }, uniquingKeysWith: { first, _ in first })
        let index: [String: Any] = ["metadata": ["total_size": total], "weight_map": map]
        try stage.write(Self.json(index), to: "model.safetensors.index.json")
    }

    // MARK: Configuration

    private func configuration() throws -> Data {
        let model = merged.model
        var object =
            model.gguf == nil
            ? try Self.textConfiguration(model.url.appending(path: "config.json"))
            : try model.configuration.configurationJSON()
        // Before transformers 5 the key was `torch_dtype`.
        let key = object["torch_dtype"] != nil && object["dtype"] == nil ? "torch_dtype" : "dtype"
        object["dtype"] = nil
        object["torch_dtype"] = nil
        object[key] = "\(elementType)"
        object["tie_word_embeddings"] = model.configuration.tiesEmbeddings
        object["quantization_config"] = nil
        return Self.json(object)
    }

    /// A model's own `config.json`; of a multimodal one, that of its text model.
    private static func textConfiguration(_ url: URL) throws -> [String: Any] {
        guard let whole = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] else {
            throw ModelError(.malformed, at: url.path, "is not a JSON object.")
        }
        guard let text = whole["text_config"] as? [String: Any] else { return whole }
        let shared = ["bos_token_id", "eos_token_id", "pad_token_id", "transformers_version"]
        var configuration = whole.filter { shared.contains($0.key) }.merging(text) { $1 }
        if whole["model_type"] as? String == "gemma3" {
            configuration["model_type"] = "gemma3_text"
            configuration["architectures"] = ["Gemma3ForCausalLM"]
        }
        return configuration
    }

    static func json(_ object: [String: Any]) -> Data { Data(JSONValue(foundation: object).indented.utf8) }
}
