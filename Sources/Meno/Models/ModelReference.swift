package import Foundation
package import MenoHub
internal import MenoModels

/// What names a model: a path, a name of the catalog, or a Hugging Face id.
package enum ModelReference: Sendable {
    case path(URL)
    case named(CatalogModel)
    case hub(HubReference)

    /// A path that exists wins over a name, and both win over an id.
    /// - Throws: ``ModelError`` where a text is none of the three.
    package init(_ text: String) throws {
        // A URL's path has `~` written out.
        let url = URL(filePath: text)
        if FileManager.default.fileExists(atPath: url.path) {
            self = .path(url)
        } else if let model = CatalogModel.all.first(where: { $0.name == text }) {
            self = .named(model)
        } else if let reference = HubReference(text) {
            self = .hub(reference)
        } else {
            throw ModelError(
                .notFound, at: text, "is neither a file or folder, nor the name of a model, nor a Hugging Face id.",
                advice:
                    "Names: \(CatalogModel.all.map(\.name).joined(separator: ", ")). An id is ORGANIZATION/NAME, such as "
                    + "Qwen/Qwen3-0.6B.", settings: [.modelDownload: "NAME"])
        }
    }

    /// The files that it stands for. What is not there yet is downloaded, or asked for.
    /// - Parameters:
    ///   - parts: what is needed of a model of the Hub.
    ///   - log: told how a download goes on, and asked for a named model that has not been downloaded.
    ///   - isCancelled: asked while something is downloaded.
    package func locate(
        _ parts: HubParts = .model, log: any SessionLog, isCancelled: () -> Bool = { Task.isCancelled }
    ) throws -> URL {
        switch self {
        case .path(let url): return Self.onlyGGUF(in: url) ?? url
        case .named(let model):
            if !model.isFetched { try log.obtain(model) }
            return model.url
        case .hub(let reference):
            return try Hub(HubSettings()).locate(reference, parts, log: log, isCancelled: isCancelled).url
        }
    }

    /// The files that a text stands for.
    package static func locate(_ text: String, _ parts: HubParts = .model, log: any SessionLog) throws -> URL {
        try ModelReference(text).locate(parts, log: log)
    }

    /// The folder, or the file for llama.cpp, of an adapter.
    package static func locateAdapter(
        _ text: String, log: any SessionLog, isCancelled: () -> Bool = { Task.isCancelled }
    ) throws -> URL {
        let url = URL(filePath: text)
        guard !FileManager.default.fileExists(atPath: url.path), let reference = HubReference(text) else { return url }
        return try Hub(HubSettings()).locate(reference, .adapter, log: log, isCancelled: isCancelled).url
    }

    /// A text that is an id, without revision and file; any other as it is.
    static func withoutRevision(_ text: String) -> String {
        if case .hub(let reference) = try? ModelReference(text) { reference.id } else { text }
    }

    /// The GGUF file of a folder that is no Hugging Face model and holds one: of an export for Ollama, for example.
    private static func onlyGGUF(in folder: URL) -> URL? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path),
            !names.contains("config.json"), case let files = names.filter({ $0.lowercased().hasSuffix(".gguf") }),
            files.count == 1
        else { return nil }
        return folder.appending(path: files[0])
    }
}
