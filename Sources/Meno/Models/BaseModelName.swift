internal import Foundation
internal import MenoFormats
internal import MenoHub

extension ModelReference {
    /// What PEFT finds a model by: the Hugging Face id of a named model, of a folder of the Hub's cache or of a `.gguf` file
    /// that tells what it was made of; else the absolute path.
    ///
    /// A folder's own `_name_or_path` is not asked: in one that was fine-tuned it names the model before.
    /// - Parameter url: the model's files.
    static func baseModel(_ url: URL) -> String {
        let path = url.standardizedFileURL.resolvingSymlinksInPath().path
        if let model = CatalogModel.all.first(where: { $0.url.resolvingSymlinksInPath().path == path }) {
            return model.hubID
        }
        let isGGUF = url.pathExtension.lowercased() == "gguf"
        // PEFT loads no GGUF file by the id of its repository alone: what it was made of comes first.
        if isGGUF, let id = hubID(ofGGUF: url) { return id }
        if let id = CachedRepository.place(of: url)?.id { return id }
        return url.standardizedFileURL.path
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
