internal import Foundation
internal import MenoFormats

extension CatalogModel {
    /// What PEFT finds a model by: the Hugging Face id of a named model, of a folder of the Hub's cache or of a `.gguf` file
    /// that tells what it was made of; else the absolute path.
    ///
    /// A folder's own `_name_or_path` is not asked: in one that was fine-tuned it names the model before.
    /// - Parameters:
    ///   - name: as the user gave it.
    ///   - url: the files that it stands for.
    static func reference(_ name: String, _ url: URL) -> String {
        let path = url.standardizedFileURL.resolvingSymlinksInPath().path
        if let model = all.first(where: { $0.url.resolvingSymlinksInPath().path == path }) { return model.hubID }
        if let id = hubID(ofCached: url.standardizedFileURL.path) { return id }
        if url.pathExtension.lowercased() == "gguf" { return hubID(ofGGUF: url) ?? url.standardizedFileURL.path }
        return url.standardizedFileURL.path
    }

    /// `…/models--org--name/snapshots/…` is `org/name`.
    private static func hubID(ofCached path: String) -> String? {
        guard let match = path.firstMatch(of: #/\/models--([^\/]+)\/snapshots\//#) else { return nil }
        return String(match.1.replacing("--", with: "/", maxReplacements: 1))
    }

    private static func hubID(ofGGUF url: URL) -> String? {
        guard let metadata = try? GGUFFile(contentsOf: url).metadata else { return nil }
        let keys = ["general.source.huggingface.repository", "general.source.repo_url", "general.repo_url"]
        let texts = keys.compactMap { try? metadata.string($0, default: nil) }
        return texts.lazy.compactMap { text in
            let id = text.replacing("https://huggingface.co/", with: "")
            return id.wholeMatch(of: #/[\w.-]+\/[\w.-]+/#) != nil ? id : nil
        }.first
    }
}
