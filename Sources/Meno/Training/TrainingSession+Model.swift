internal import Foundation
internal import MenoConfiguration
internal import MenoModels
internal import MenoTensor
internal import MenoTraining

/// Which weights a run trains.
extension TrainingSession {
    /// Attaches the adapter to train, or makes every weight trainable.
    static func prepare(
        _ model: LoadedModel, _ configuration: RunConfiguration, _ runModel: RunModel, _ initialAdapter: URL?,
        _ log: any SessionLog
    ) throws -> SavedForm {
        let adapter = { (settings: LoRASettings) in
            SavedForm.adapter(
                settings, baseModel: model.reference, revision: runModel.revision(of: model.reference))
        }
        let decoder = model.decoder
        guard let lora = configuration.lora else {
            try RandomGenerator.seed(UInt64(configuration.data.seed))
            guard FileManager.default.fileExists(atPath: model.url.appending(path: "config.json").path) else {
                throw ConfigurationError(
                    .invalid, at: model.url.path,
                    "`lora: null` trains every weight, which needs a Hugging Face folder to start from.",
                    advice: "A .gguf file can be fine-tuned with LoRA.")
            }
            try decoder.trainAllParameters()
            return .model(source: model.url)
        }
        if let initialAdapter {
            try RandomGenerator.seed(UInt64(configuration.data.seed))
            let settings = try LoRAFiles.attach(
                initialAdapter, to: decoder, forTraining: true, warn: { log.warn($0) })
            return adapter(settings)
        }
        let settings = try SharedGenerator.exclusively {
            try RandomGenerator.seed(UInt64(configuration.data.seed))
            return try decoder.attachLoRA(lora.settings)
        }
        noteFrozenExperts(decoder, log)
        return adapter(settings)
    }

    private static func noteFrozenExperts(_ decoder: Decoder, _ log: any SessionLog) {
        let share = decoder.frozenExpertShare
        guard share > 0 else { return }
        log.note(
            "\(Int((100 * share).rounded())) % of the model's weights are in experts that get no adapter. To adapt them, set "
                + "lora.lora_dropout: 0 and lora.target_parameters: [experts.gate_up_proj, experts.down_proj], or "
                + "lora.target_modules: all-linear")
    }
}
