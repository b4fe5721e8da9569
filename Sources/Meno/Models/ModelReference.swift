package import Foundation
package import MenoHub
internal import MenoModels

/// A model named by the user: a path, a name from the catalog, or a Hugging Face id.
package enum ModelReference: Sendable {
    case path(URL)
    case named(CatalogModel)
    case hub(HubReference)

    /// An existing path takes precedence over a name, and both over an id.
    /// - Throws: ``ModelError`` if the text is none of the three.
    package init(_ text: String) throws {
        // The URL's path has `~` expanded.
        let url = URL(filePath: text)
        if FileManager.default.fileExists(atPath: url.path) {
            self = .path(url)
        } else if let model = CatalogModel.all.first(where: { $0.name == text }) {
            self = .named(model)
        } else if let reference = HubReference(text) {
            self = .hub(reference)
        } else {
            throw ModelError(
                .notFound, at: text, "is not a file, a folder, the name of a model or a Hugging Face id.",
                advice:
                    "Names: \(CatalogModel.all.map(\.name).joined(separator: ", ")). An id is ORGANIZATION/NAME, such as "
                    + "Qwen/Qwen3-0.6B.", settings: [.modelDownload: "NAME"])
        }
    }

    /// Returns the files of the reference. Missing files are downloaded, or obtained through the
    /// log.
    /// - Parameters:
    ///   - parts: what is needed of a Hub model.
    ///   - log: receives the download's progress, and is asked for a catalog model that has not been
    ///     downloaded.
    ///   - isCancelled: called repeatedly during a download.
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

    /// Returns the files that a text refers to.
    package static func locate(_ text: String, _ parts: HubParts = .model, log: any SessionLog) throws -> URL {
        try ModelReference(text).locate(parts, log: log)
    }

    /// The folder of an adapter, or its file if it is in llama.cpp's format.
    package static func locateAdapter(
        _ text: String, log: any SessionLog, isCancelled: () -> Bool = { Task.isCancelled }
    ) throws -> URL {
        let url = URL(filePath: text)
        guard !FileManager.default.fileExists(atPath: url.path), let reference = HubReference(text) else { return url }
        return try Hub(HubSettings()).locate(reference, .adapter, log: log, isCancelled: isCancelled).url
    }

    /// Removes revision and file from a Hugging Face id; returns any other text unchanged.
    static func withoutRevision(_ text: String) -> String {
        if case .hub(let reference) = try? ModelReference(text) { reference.id } else { text }
    }

    /// The GGUF file in a folder that is not a Hugging Face model, such as an export for Ollama.
    private static func onlyGGUF(in folder: URL) -> URL? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path),
            !names.contains("config.json"), case let files = names.filter({ $0.lowercased().hasSuffix(".gguf") }),
            files.count == 1
        else { return nil }
        return folder.appending(path: files[0])
    }
}
