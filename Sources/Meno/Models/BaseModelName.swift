internal import Foundation
internal import MenoFormats
internal import MenoHub

extension ModelReference {
    /// The name by which PEFT finds a model: the Hugging Face id of a catalog model, of a folder in
    /// the Hub's cache, or of the source named in a `.gguf` file. Otherwise the absolute path.
    ///
    /// A folder's `_name_or_path` is ignored: in a fine-tuned model it names the model it was
    /// trained from.
    /// - Parameter url: the model's files.
    static func baseModel(_ url: URL) -> String {
        let path = url.standardizedFileURL.resolvingSymlinksInPath().path
        if let model = CatalogModel.all.first(where: { $0.url.resolvingSymlinksInPath().path == path }) {
            return model.hubID
        }
        let isGGUF = url.pathExtension.lowercased() == "gguf"
        // PEFT cannot load a GGUF file by its repository's id alone, so the source model comes
        // first.
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
