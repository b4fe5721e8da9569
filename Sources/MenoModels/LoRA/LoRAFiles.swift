package import Foundation
internal import MenoFormats
internal import MenoTensor

/// Adapters on disk, as PEFT reads and writes them: `adapter_config.json` and `adapter_model.safetensors`. Adapters of mlx-lm can
/// be read too (``MLXAdapter``).
package enum LoRAFiles {
    package static let configurationName = "adapter_config.json"
    package static let weightsName = "adapter_model.safetensors"
    static let prefix = "base_model.model."

    /// Attaches a saved adapter to a model.
    ///
    /// Which layers are adapted is read from the tensors' names; every tensor must find its layer and fit it. Names may be those
    /// of a standalone text model or of a part (``ModuleNames``), whatever the model is.
    /// - Parameters:
    ///   - forTraining: whether the adapter is to be trained further, and saved.
    ///   - warn: called with a message for each ignored setting.
    /// - Returns: the adapter's settings.
    @discardableResult
    package static func attach(
        _ folder: URL, to model: Decoder, forTraining: Bool = false, warn: (String) -> Void = { _ in }
    ) throws -> LoRASettings {
        var settings = try settings(in: folder, warn: warn)
        settings.modulesToSave = model.withTiedModules(settings.modulesToSave)
        let tensors = try SavedTensors(
            folder, device: model.device, advice: "Was the adapter trained on another model?")
        try EmbeddingLayers.check(of: model, in: tensors, settings)
        var attached = 0
        for (layer, linear) in model.linears {
            let (down, up, magnitude) = (
                "\(layer).lora_A.weight", "\(layer).lora_B.weight", "\(layer).lora_magnitude_vector"
            )
            guard let saved = tensors.savedName(down) ?? tensors.savedName(up) else { continue }
            // Patterns use the names of the model that the adapter was trained on.
            let name = String(saved.dropLast(".lora_A.weight".count))
            let rank = try settings.rank(of: name)
            linear.adapter = LoRAAdapter(
                down: try tensors.take(down, [rank, linear.inFeatures]),
                up: try tensors.take(up, [linear.outFeatures, rank]),
                magnitude: settings.usesDoRA ? try tensors.take(magnitude, [linear.outFeatures]) : nil,
                scaling: try settings.scaling(of: name), dropout: settings.dropout)
            attached += 1
        }
        for experts in model.experts { attached += try experts.attach(from: tensors, settings) }
        if settings.targets != .allLinear { settings = model.resolved(settings) }
        try model.refuseLayersSavedWhole(settings)
        for parameter in model.parameters where model.isSaved(parameter, settings) && tensors.has(parameter.name) {
            try parameter.train(tensors.take(parameter.name, parameter.shape).tensor)
        }
        try EmbeddingLayers.put(into: model, from: tensors, settings, forTraining: forTraining)
        try tensors.requireAll()
        guard attached > 0 else { throw ModelError(.malformed, at: tensors.path, "contains no adapter.") }
        return settings
    }

    /// Restores a file's values into a model that already has the adapters and modules. None may be missing or left over.
    static func restore(_ model: Decoder, from folder: URL) throws {
        let tensors = try SavedTensors(
            folder, device: model.device, advice: "Was the checkpoint made with another model or other adapters?")
        try EmbeddingLayers.check(of: model, in: tensors, settings(in: folder))
        try withoutGradient {
            for parameter in model.trainedParameters {
                try parameter.tensor.copy_(tensors.take(parameter.name, parameter.tensor.shape).tensor)
            }
        }
        try tensors.requireAll()
    }
}
