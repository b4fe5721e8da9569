package import Foundation
internal import MenoTensor

/// An adapter as its files hold it, for a model whose weights are read a few rows at a time.
package final class StoredAdapter {
    /// The low-rank change of one layer.
    package struct Change {
        /// The layer's name in a standalone text model: `model.layers.0.self_attn.q_proj`.
        package let layer: String
        let down: Tensor
        let up: Tensor
        let magnitude: Tensor?
        package let rank: Int
        /// α / r, or α / √r with rank stabilization (rsLoRA).
        package let scaling: Double

        /// A, `[rank, inFeatures]`, row-major.
        package func downValues() throws -> [Float] { try down.array() }
        /// B, `[outFeatures, rank]`, row-major.
        package func upValues() throws -> [Float] { try up.array() }
        package var shapes: (down: [Int], up: [Int]) { (down.shape, up.shape) }

        /// W + ΔW of some rows, rescaled to the learned magnitudes with DoRA.
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
    private let tensors: SavedTensors

    /// Opens an adapter and checks that each of its tensors belongs to the model.
    /// - Throws: ``ModelError`` that names the tensor that does not.
    package init(_ folder: URL, for model: StoredModel) throws {
        self.folder = folder
        self.model = model
        settings = try LoRAFiles.settings(in: folder)
        tensors = try SavedTensors(folder, device: .cpu, advice: Self.advice)
        var adapted = 0
        for parameter in model.parameters {
            if let names = changeNames(of: parameter) {
                // Read every change once, so that a mismatch is found before anything is written.
                _ = try change(of: parameter)
                for name in names { tensors.passOver(name) }
                adapted += 1
            }
            if tensors.has(parameter.name) {
                try checkShape(parameter)
                tensors.passOver(parameter.name)
            }
        }
        try checkTiedHead()
        try tensors.requireAll()
        guard adapted > 0 else { throw ModelError(.malformed, at: tensors.path, "contains no adapter.") }
    }

    private static let advice = "Was the adapter trained on another model?"
    private static let (head, embedding) = ("lm_head.weight", "model.embed_tokens.weight")

    /// Names of the weights that the adapter replaces (`modules_to_save`).
    package var replaced: [String] { model.parameters.map(\.name).filter(tensors.has) }

    /// Whether the adapter changes a weight.
    package func changes(_ parameter: StoredModel.Parameter) -> Bool {
        tensors.has(parameter.name) || changeNames(of: parameter) != nil
    }

    /// The change of a layer's weight; `nil` where it has none.
    package func change(of parameter: StoredModel.Parameter) throws -> Change? {
        if let change = try expertChange(of: parameter) { return change }
        guard let names = changeNames(of: parameter),
            let saved = tensors.savedName(names[0]) ?? tensors.savedName(names[1])
        else { return nil }
        // Patterns use the names of the model that the adapter was trained on.
        let name = String(saved.dropLast(".lora_A.weight".count))
        let rank = try settings.rank(of: name)
        return Change(
            layer: layer(of: parameter) ?? "", down: try tensors.read(names[0], [rank, parameter.columns]),
            up: try tensors.read(names[1], [parameter.rows, rank]),
            magnitude: settings.usesDoRA ? try tensors.read(names[2], [parameter.rows]) : nil,
            rank: rank, scaling: try settings.scaling(of: name))
    }

    /// The replacement of a weight (`modules_to_save`), in float32; `nil` if it is not replaced.
    func replacement(of parameter: StoredModel.Parameter) throws -> Tensor? {
        tensors.has(parameter.name) ? try tensors.read(parameter.name, parameter.shape) : nil
    }

    // MARK: Checks

    private func layer(of parameter: StoredModel.Parameter) -> String? {
        let suffix = ".weight"
        // Adapters of the embedding and the head are refused as unknown tensors.
        guard parameter.isMatrix, parameter.name.hasSuffix(suffix),
            ![Self.head, Self.embedding].contains(parameter.name)
        else { return nil }
        let name = String(parameter.name.dropLast(suffix.count))
        let names = model.configuration.architecture.names
        guard let place = names.place(transformers: parameter.name), place.part == .router, let layer = place.layer
        else { return name }
        let module = "\(names.layerPrefix)\(layer).\(names.experts.router)"
        return tensors.has("\(name).lora_A.weight") ? name : module
    }

    /// The adapter of all experts that changes this weight, and the weight's place.
    private func expertPlace(of parameter: StoredModel.Parameter) -> (module: String, place: WeightNames.Place)? {
        let names = model.configuration.architecture.names
        guard let place = names.place(transformers: parameter.name), place.expert != nil, place.kind == "weight",
            let layer = place.layer
        else { return nil }
        let module = "\(names.layerPrefix)\(layer).\(names.experts.module)"
        let rows = place.part == .expertDown ? parameter.columns : parameter.rows
        let found = ExpertAdapterNames(of: module, in: tensors, settings, gateUpRows: 2 * rows)
        return (place.part == .expertDown ? found.down : found.gateUp).map { ($0, place) }
    }

    private func expertChange(of parameter: StoredModel.Parameter) throws -> Change? {
        guard let (module, place) = expertPlace(of: parameter), let expert = place.expert, let layer = place.layer,
            let count = model.configuration.layers[layer].feedForward.experts?.count
        else { return nil }
        let names = model.configuration.architecture.names
        let isDown = place.part == .expertDown
        let name = "\(names.layerPrefix)\(layer).\(names.experts.module)." + (isDown ? "down_proj" : "gate_up_proj")
        let rank = try settings.rank(of: name)
        let rows = parameter.rows * (isDown ? 1 : 2)
        let down = try tensors.read("\(module).lora_A.weight", [count * rank, parameter.columns])
        var up = try tensors.read("\(module).lora_B.weight", [rows, count * rank]).reshaped([rows, rank, count])
            .selected(expert, along: 2)
        if !isDown {
            let slice = ExpertSlice(
                expert: 0, count: 1, part: place.part == .expertUp ? 1 : 0, parts: 2,
                takesTurns: names.experts.stacks.first?.takesTurns ?? false)
            up =
                slice.takesTurns
                ? try slice.taken(from: up.contiguous(), [parameter.rows, rank])
                : try up.narrowed(0, start: slice.part * parameter.rows, count: parameter.rows)
        }
        return Change(
            layer: parameter.name, down: try down.narrowed(0, start: expert * rank, count: rank),
            up: try up.contiguous(), magnitude: nil, rank: rank, scaling: try settings.scaling(of: name))
    }

    /// Whether it adapts experts, which llama.cpp's adapters store differently.
    package var adaptsExperts: Bool { model.parameters.contains { expertPlace(of: $0) != nil } }

    private func changeNames(of parameter: StoredModel.Parameter) -> [String]? {
        if let (module, _) = expertPlace(of: parameter) {
            return ["\(module).lora_A.weight", "\(module).lora_B.weight"]
        }
        guard let layer = layer(of: parameter) else { return nil }
        let (down, up) = ("\(layer).lora_A.weight", "\(layer).lora_B.weight")
        guard tensors.has(down) || tensors.has(up) else { return nil }
        return [down, up] + (settings.usesDoRA ? ["\(layer).lora_magnitude_vector"] : [])
    }

    private func checkShape(_ parameter: StoredModel.Parameter) throws {
        guard let shape = tensors.shape(parameter.name), shape != parameter.shape else { return }
        throw ModelError(
            .mismatch, at: tensors.path,
            "the tensor \"\(parameter.name)\" has the shape \(shape); the model needs \(parameter.shape).",
            advice: Self.advice)
    }

    /// Where the head shares the embedding's weights, the adapter must give both the same values, as when it is attached.
    private func checkTiedHead() throws {
        guard model.configuration.tiesEmbeddings, let embedding = model.parameter(named: Self.embedding),
            tensors.has(Self.head) || tensors.has(Self.embedding)
        else { return }
        if !tensors.has(Self.head), settings.ensuresWeightTying { return }
        let own = { (name: String) in
            self.tensors.has(name) ? try self.tensors.read(name, embedding.shape) : nil
        }
        let (head, table) = (try own(Self.head), try own(Self.embedding))
        for rows in embedding.chunks(of: 1) {
            let values = { (tensor: Tensor?) in
                try tensor?.narrowed(0, start: rows.lowerBound, count: rows.count).contiguous().array()
                    ?? self.model.read(embedding, rows: rows)
            }
            guard try values(head) == values(table) else {
                throw ModelError(
                    .unsupported, at: tensors.path,
                    "has a separate head or embedding; in this model they share their weights and must be the same.",
                    advice: "Train with modules_to_save: [embed_tokens, lm_head], tied.")
            }
        }
        tensors.passOver(Self.head)
    }
}
