package import Foundation
internal import MenoFormats
internal import MenoTensor

/// An adapter as its files hold it, for a model whose weights are read a few rows at a time.
package final class StoredAdapter {
    /// The low-rank change of one layer.
    package struct Change {
        /// The layer by the name of a text model alone: `model.layers.0.self_attn.q_proj`.
        package let layer: String
        let down: Tensor
        let up: Tensor
        let magnitude: Tensor?
        package let rank: Int
        /// α / r, or α / √r where ranks are stabilised.
        package let scaling: Double

        /// A, `[rank, inFeatures]`, row-major.
        package func downValues() throws -> [Float] { try down.array() }
        /// B, `[outFeatures, rank]`, row-major.
        package func upValues() throws -> [Float] { try up.array() }
        package var shapes: (down: [Int], up: [Int]) { (down.shape, up.shape) }

        /// W + ΔW of some rows, where the sizes of rows are learnt apart brought to those.
        func merged(_ rows: Range<Int>, of values: [Float]) throws -> [Float] {
            try withoutGradient {
                let part = { (tensor: Tensor) in try tensor.narrowed(0, start: rows.lowerBound, count: rows.count) }
                var weight = try Tensor(values, shape: [rows.count, values.count / rows.count])
                weight = try weight + part(up).matmul(down) * scaling
                if let magnitude {
                    let norms = try weight.squared().sum(along: [1]).squareRoot()
                    weight = try weight * (part(magnitude) / norms).unsqueezed(1)
                }
                return try weight.array()
            }
        }
    }

    package let folder: URL
    package let settings: LoRASettings
    private let model: StoredModel
    private let file: SafetensorsFile
    /// Names in the file by those in a text model alone.
    private let names: [String: String]

    /// Opens an adapter and checks that each of its tensors belongs to the model.
    /// - Throws: ``ModelError``, with the tensor that does not.
    package init(_ folder: URL, for model: StoredModel) throws {
        self.folder = folder
        self.model = model
        settings = try LoRAFiles.settings(in: folder)
        file = try SafetensorsFile(contentsOf: folder.appending(path: LoRAFiles.weightsName))
        let prefix = LoRAFiles.prefix
        names = Dictionary(
            file.weights.map(\.name).filter { $0.hasPrefix(prefix) }.map {
                (ModuleNames.alone(String($0.dropFirst(prefix.count))), $0)
            }, uniquingKeysWith: { first, _ in first })
        let strays = try SavedTensors(folder, device: .cpu, advice: Self.advice)
        var adapted = 0
        for parameter in model.parameters {
            if let change = try changeNames(of: parameter) {
                for name in change { strays.passOver(name) }
                try check(parameter)
                adapted += 1
            }
            if names[parameter.name] != nil {
                strays.passOver(parameter.name)
                try checkSize(parameter.name, parameter.shape)
            }
        }
        if model.configuration.tiesEmbeddings, names[Self.head] != nil { strays.passOver(Self.head) }
        try strays.requireAll()
        try checkTiedHead()
        guard adapted > 0 else { throw ModelError(.malformed, path: file.file.path, "holds no adapter.") }
    }

    private static let advice = "Was the adapter trained on another model?"
    private static let (head, embedding) = ("lm_head.weight", "model.embed_tokens.weight")

    /// Weights that are replaced as a whole (`modules_to_save`).
    package var replaced: [String] { model.parameters.map(\.name).filter { names[$0] != nil } }

    /// Whether the adapter changes a weight.
    package func changes(_ parameter: StoredModel.Parameter) -> Bool {
        names[parameter.name] != nil || layer(of: parameter).map { names["\($0).lora_A.weight"] != nil } ?? false
    }

    /// The change of a layer's weight; `nil` where it has none.
    package func change(of parameter: StoredModel.Parameter) throws -> Change? {
        guard let layer = layer(of: parameter), let saved = names["\(layer).lora_A.weight"] else { return nil }
        // Patterns speak of the layers by the names of the model that the adapter was trained on.
        let name = String(saved.dropFirst(LoRAFiles.prefix.count).dropLast(".lora_A.weight".count))
        let rank = try settings.rank(of: name)
        return Change(
            layer: layer, down: try tensor("\(layer).lora_A.weight", [rank, parameter.columns]),
            up: try tensor("\(layer).lora_B.weight", [parameter.rows, rank]),
            magnitude: settings.usesDoRA ? try tensor("\(layer).lora_magnitude_vector", [parameter.rows]) : nil,
            rank: rank, scaling: try settings.scaling(of: name))
    }

    /// Rows of a weight that is replaced as a whole, in float32.
    func replacement(of parameter: StoredModel.Parameter, rows: Range<Int>) throws -> [Float]? {
        try names[parameter.name].map { try read($0, rows: rows, columns: parameter.columns) }
    }

    // MARK: Checks

    private func layer(of parameter: StoredModel.Parameter) -> String? {
        let suffix = ".weight"
        guard parameter.isMatrix, parameter.name.hasSuffix(suffix) else { return nil }
        return String(parameter.name.dropLast(suffix.count))
    }

    private func changeNames(of parameter: StoredModel.Parameter) throws -> [String]? {
        // The embedding's and the head's adapters are refused as strays.
        guard let layer = layer(of: parameter), ![Self.head, Self.embedding].contains(parameter.name) else { return nil }
        let (down, up) = ("\(layer).lora_A.weight", "\(layer).lora_B.weight")
        guard names[down] != nil || names[up] != nil else { return nil }
        return [down, up] + (settings.usesDoRA ? ["\(layer).lora_magnitude_vector"] : [])
    }

    private func check(_ parameter: StoredModel.Parameter) throws {
        guard let layer = layer(of: parameter) else { return }
        guard names["\(layer).lora_A.weight"] != nil else { throw missing("\(layer).lora_A.weight") }
        _ = try change(of: parameter)
    }

    private func checkSize(_ name: String, _ shape: [Int]) throws {
        guard let saved = names[name], let info = file.weight(named: saved) else { throw missing(name) }
        guard info.shape == shape else {
            throw ModelError(
                .mismatch, path: file.file.path,
                "the tensor \"\(saved)\" has the shape \(info.shape); the model asks for \(shape).", advice: Self.advice)
        }
    }

    private func missing(_ name: String) -> ModelError {
        ModelError(
            .mismatch, path: file.file.path, "has no tensor \"\(LoRAFiles.prefix + name)\".", advice: Self.advice)
    }

    /// Where the head is the embedding, an adapter must hold the same values of both, as when it is attached.
    private func checkTiedHead() throws {
        guard model.configuration.tiesEmbeddings, let head = names[Self.head],
            let embedding = model.parameter(named: Self.embedding)
        else { return }
        try checkSize(Self.head, embedding.shape)
        for rows in embedding.chunks(of: 1) {
            let values = try replacement(of: embedding, rows: rows) ?? model.read(embedding, rows: rows)
            guard try read(head, rows: rows, columns: embedding.columns) == values else {
                throw ModelError(
                    .unsupported, path: file.file.path,
                    "has a head of its own; the model's head is its embedding, and both must be the same.",
                    advice: "Train with modules_to_save: [embed_tokens, lm_head], tied.")
            }
        }
    }

    // MARK: Reading

    private func tensor(_ name: String, _ shape: [Int]) throws -> Tensor {
        try checkSize(name, shape)
        let tensor = try Tensor(uninitialized: shape, dtype: .float32)
        try tensor.withMutableBytes { try file.read(names[name]!, as: .float32, into: $0) }
        return tensor
    }

    private func read(_ saved: String, rows: Range<Int>, columns: Int) throws -> [Float] {
        let elements = rows.lowerBound * columns..<rows.upperBound * columns
        return try [Float](unsafeUninitializedCapacity: elements.count) { buffer, initialized in
            let part = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<(4 * elements.count)])
            try file.read(saved, elements: elements, as: .float32, into: part)
            initialized = elements.count
        }
    }
}
