import Foundation
import MenoModels

/// The models that have a name.
struct CatalogModel {
    let name: String
    let file: String
    let description: String
    let license: String
    /// Its Hugging Face id, by which PEFT finds the model that an adapter belongs to.
    let hubID: String

    static let all = [
        CatalogModel(
            name: "gemma-3-270m", file: "gemma-3-270m-q4_k_m.gguf", description: "Gemma 3 270M, Q4_K_M, 241 MiB",
            license: "Gemma Terms of Use (ai.google.dev/gemma/terms)", hubID: "google/gemma-3-270m"),
        CatalogModel(
            name: "smollm2-135m", file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            description: "SmolLM2 135M Instruct, Q4_1, 94 MiB", license: "Apache-2.0",
            hubID: "HuggingFaceTB/SmolLM2-135M-Instruct"),
    ]

    var url: URL { Installation.cache.appending(path: "models").appending(path: file) }
    var isFetched: Bool { FileManager.default.fileExists(atPath: url.path) }

    /// The files that a name or a path stands for. A path that exists wins over a name; a named model that is not there yet is
    /// downloaded where the user agrees.
    static func locate(_ nameOrPath: String) throws -> URL {
        // A URL's path has `~` written out.
        let url = URL(filePath: nameOrPath)
        if FileManager.default.fileExists(atPath: url.path) { return onlyGGUF(in: url) ?? url }
        guard let model = all.first(where: { $0.name == nameOrPath }) else {
            throw ModelError(
                .notFound, path: nameOrPath, "is neither a file or folder nor the name of a model.",
                advice: "Names: \(all.map(\.name).joined(separator: ", ")); `meno models fetch NAME` downloads one.")
        }
        if !model.isFetched { try model.offerFetch() }
        return model.url
    }

    /// The GGUF file of a folder that is no Hugging Face model and holds one: of an export for Ollama, for example.
    private static func onlyGGUF(in folder: URL) -> URL? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path),
            !names.contains("config.json"), case let files = names.filter({ $0.lowercased().hasSuffix(".gguf") }),
            files.count == 1
        else { return nil }
        return folder.appending(path: files[0])
    }

    private func offerFetch() throws {
        switch Consent.ask("\(name) is not there yet (\(description); license: \(license)). Download it now?") {
        case .yes: try fetch()
        case .no, .unasked:
            throw ModelError(
                .notFound, path: name, "is not there yet: \(description).",
                advice:
                    "Run `meno models fetch \(name)`, or set \(Consent.variable)=1 to have models downloaded when they are "
                    + "needed.")
        }
    }

    /// Downloads the model into the cache, verified by SHA-256.
    func fetch() throws {
        guard !isFetched else { return }
        guard let script = Installation.root?.appending(path: "scripts/fetch-model") else {
            throw ModelError(
                .notFound, "the checkout that holds scripts/fetch-model was not found.",
                advice: "Set MENO_ROOT to it, or run `./meno` there.")
        }
        let process = Process()
        process.executableURL = script
        process.arguments = [name]
        // Standard output is for results.
        process.standardOutput = FileHandle.standardError
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0, isFetched else {
            throw ModelError(.notFound, "\(name) could not be fetched; the reason is above.")
        }
    }
}
