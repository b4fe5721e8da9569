package import Foundation
package import MenoHub
internal import MenoModels

/// The models with a built-in name.
package struct CatalogModel: Sendable {
    package let name: String
    let file: String
    package let description: String
    package let license: String
    /// The Hugging Face id, by which PEFT finds an adapter's base model.
    let hubID: String
    /// Whether the Hub requires accepting its conditions first.
    package let isGated: Bool

    package static let all = [
        CatalogModel(
            name: "gemma-3-270m", file: "gemma-3-270m-q4_k_m.gguf", description: "Gemma 3 270M, Q4_K_M, 241 MiB",
            license: "Gemma Terms of Use (ai.google.dev/gemma/terms)", hubID: "google/gemma-3-270m",
            isGated: true),
        CatalogModel(
            name: "smollm2-135m", file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            description: "SmolLM2 135M Instruct, Q4_1, 94 MiB", license: "Apache-2.0",
            hubID: "HuggingFaceTB/SmolLM2-135M-Instruct", isGated: false),
    ]

    /// The model on the Hub.
    package var hub: HubReference { HubReference(id: hubID) }

    /// Where its files are or will be: the `.gguf` file, or the folder in the Hub's cache.
    package var url: URL { isFileFetched ? fileURL : hubFolder ?? fileURL }
    package var isFetched: Bool { isFileFetched || hubFolder != nil }
    package var isFileFetched: Bool { FileManager.default.fileExists(atPath: fileURL.path) }

    private var fileURL: URL { Self.cache.appending(path: "models").appending(path: file) }
    private var hubFolder: URL? { (try? HubSettings()).flatMap { Hub($0).cached(hub)?.url } }

    /// The error for a model that has not been downloaded.
    package var absence: ModelError {
        ModelError(
            .notFound, at: name, "is not downloaded yet: \(description).", advice: "Download it first.",
            settings: [.modelDownload: name])
    }

    /// Meno's cache folder, which holds downloaded models.
    package static let cache: URL = {
        let environment = ProcessInfo.processInfo.environment
        if let cache = environment["MENO_CACHE"] { return URL(filePath: cache) }
        if let cache = environment["XDG_CACHE_HOME"] { return URL(filePath: cache).appending(path: "meno") }
        return URL(filePath: NSHomeDirectory()).appending(path: ".cache/meno")
    }()
}
