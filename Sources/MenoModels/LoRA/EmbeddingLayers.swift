internal import MenoTensor

/// Embeddings and heads in an adapter's file. PEFT saves them if `modules_to_save` names them, or automatically
/// (`save_embedding_layers`) if the vocabulary was resized.
enum EmbeddingLayers {
    private static let head = "lm_head.weight"

    /// Throws if they do not fit the model.
    ///
    /// Where the head shares the embedding's weights, both must have the same values. PEFT trains a copy of the one that is named
    /// and leaves the other unchanged, unless `ensure_weight_tying` is set. Then it saves both, or only the embedding.
    static func check(of model: Decoder, in tensors: SavedTensors, _ settings: LoRASettings) throws {
        let (embedding, shape) = (model.embedding.name, model.embedding.shape)
        for name in [embedding, head] {
            guard let found = tensors.shape(name), found != shape else { continue }
            throw resized(found, shape, name, tensors)
        }
        guard model.configuration.tiesEmbeddings, tensors.has(head) || tensors.has(embedding) else { return }
        if !tensors.has(head), settings.ensuresWeightTying { return }
        let values = { (name: String) in
            tensors.has(name) ? try tensors.read(name, shape) : try model.embedding.value(.float32)
        }
        let isSame = try withoutGradient { try (values(head) - values(embedding)).abs().max().item() == 0 }
        guard isSame else {
            let (what, name) = tensors.has(head) ? ("a head", head) : ("an embedding", embedding)
            throw ModelError(
                .unsupported, at: tensors.path,
                "has \(what) (\"\(name)\") of its own; "
                    + "in this model, head and embedding share their weights and must be the same.",
                advice:
                    "PEFT trains a copy of such a module. Train with ensure_weight_tying=True, or untie the model first: in "
                    + "transformers `m.lm_head.weight = torch.nn.Parameter(m.lm_head.weight.clone()); "
                    + "m.config.tie_word_embeddings = False; m.save_pretrained(…)`, and give that folder as the model.")
        }
        tensors.passOver(head)
    }

    private static func resized(
        _ found: [Int], _ shape: [Int], _ name: String, _ tensors: SavedTensors
    ) -> ModelError {
        guard found.count == 2, found[1] == shape[1] else {
            return ModelError(
                .mismatch, at: tensors.path,
                "the tensor \"\(name)\" has the shape \(found); the model needs \(shape).",
                advice: "Was the adapter trained on another model?")
        }
        return ModelError(
            .unsupported, at: tensors.path,
            "has \"\(name)\" with \(found[0]) rows, because the vocabulary was resized in training; the model has \(shape[0]).",
            advice:
                "Resize the model as well: in transformers `m.resize_token_embeddings(\(found[0])); m.save_pretrained(…)`, "
                + "and give that folder as the model.")
    }

    /// Replaces the model's layers with those that the file has without `modules_to_save` naming them.
    static func put(
        into model: Decoder, from tensors: SavedTensors, _ settings: LoRASettings, forTraining: Bool
    ) throws {
        let tables = [model.embedding] + (model.configuration.tiesEmbeddings ? [] : [model.head.weight])
        for table in tables where tensors.has(table.name) && !model.isSaved(table, settings) {
            let values = try tensors.read(table.name, table.shape)
            tensors.passOver(table.name)
            let isSame = try withoutGradient { try (values - table.value(.float32)).abs().max().item() == 0 }
            if isSame { continue }
            guard !forTraining else {
                throw ModelError(
                    .unsupported, at: tensors.path,
                    "holds \"\(table.name)\" (save_embedding_layers), which modules_to_save does not name: "
                        + "training this adapter further would lose it.",
                    advice:
                        "Merge the adapter into its model in PEFT (merge_and_unload), and train that; or name the module in "
                        + "its modules_to_save.")
            }
            try table.freeze(values)
        }
    }
}
