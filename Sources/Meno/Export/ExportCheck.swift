internal import Foundation
internal import MenoConfiguration
internal import MenoExport
internal import MenoModels

extension ExportForm {
    /// Rejects an export that is not possible for a run's result, before hours are spent on
    /// training.
    /// - Parameters:
    ///   - model: the folder or file to train.
    ///   - lora: `nil` for full fine-tuning; the result is then a folder of the model's architecture.
    /// - Throws: ``ExportError`` or ``ModelError``.
    func requirePossible(for model: URL, _ tokenized: TokenizedModel, lora: RunConfiguration.LoRA?) throws {
        switch format {
        case .safetensors: break
        case .gguf, .ollama:
            let stored = try StoredModel(model)
            guard stored.gguf == nil else { break }
            _ = try GGUFModelMetadata(of: stored)
            _ = try GGUFVocabularyExport(
                tokenized.url.appending(path: "tokenizer.json"), tokenizer: tokenized.tokenizer,
                rows: stored.configuration.vocabularySize
            ).metadata(template: nil, endOfTurn: nil)
        case .ggufLoRA:
            guard let lora else {
                throw ExportError(
                    .unsupported, "\(self) exports an adapter, and this run trains every weight.",
                    advice: "Export as gguf or safetensors.")
            }
            try GGUFAdapterExport.requirePossible(
                usesDoRA: lora.usesDoRA, replaced: lora.modulesToSave, path: nil)
        }
    }
}
