package import Foundation
internal import MenoHub
internal import MenoMetrics
internal import MenoModels

/// A folder that holds an adapter and no model, found where a model was expected or given to be
/// described.
package struct AdapterFolder {
    /// The folder of `adapter_config.json`: the given folder, or `model` in it if that is a run's
    /// folder.
    package let url: URL
    package let isInRun: Bool
    /// `base_model_name_or_path`
    package let base: String?

    /// - Returns: `nil` if the folder holds a model or no adapter.
    package init?(_ folder: URL) {
        let hasFile = { (url: URL, name: String) in
            FileManager.default.fileExists(atPath: url.appending(path: name).path)
        }
        guard !hasFile(folder, "config.json") else { return nil }
        let inner = RunLayout(folder).model
        guard let url = [folder, inner].first(where: { hasFile($0, LoRAFiles.configurationName) }) else { return nil }
        self.url = url
        isInRun = url == inner
        let json = try? JSONSerialization.jsonObject(
            with: Data(contentsOf: url.appending(path: LoRAFiles.configurationName)))
        base = (json as? [String: Any])?["base_model_name_or_path"] as? String
    }

    /// The error for an adapter given in place of a model.
    package var refusal: ModelError {
        let model = base.map { $0.contains(" ") ? "\"\($0)\"" : $0 } ?? "BASE"
        let adapter = CachedRepository.place(of: url)?.id ?? url.path
        return ModelError(
            .unsupported, at: adapter,
            "is an adapter\(base.map { " for the model \($0)" } ?? ""), not a model.",
            advice: "Give the base model as the model and this folder as the adapter.",
            settings: [.model: model, .adapter: adapter])
    }
}
