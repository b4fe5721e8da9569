package import Foundation

/// Finds and opens the weights of a model.
package enum WeightFiles {
    /// Opens the weights at a path.
    ///
    /// Matrices quantised by bitsandbytes are read as the values that it dequantises them to.
    ///
    /// A file may be `.safetensors`, an index of shards (`.index.json`) or `.gguf` (known by content). In a folder,
    /// `model.safetensors` is taken first, then `model.safetensors.index.json`, then the only `.gguf` or
    /// `.safetensors` file.
    /// - Throws: ``FormatError``: `notFound` when there are no weights, `unsupported` when they are in another format
    ///   or if a folder has several candidates, `malformed` when the files are damaged.
    package static func open(_ url: URL) throws -> any WeightSource {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw FormatError(
                .notFound, at: url.path, "does not exist.",
                advice: "Give a model's folder, or its .safetensors or .gguf file.")
        }
        let source = try isFolder.boolValue ? openFolder(url) : openFile(url)
        return MicroscaledWeights(source) ?? source
    }

    private static func openFile(_ url: URL) throws -> any WeightSource {
        let file = try MemoryMappedFile(contentsOf: url)
        if file.withUnsafeBytes({ $0.starts(with: GGUFFile.magic) }) { return try GGUFFile(file) }
        switch url.pathExtension.lowercased() {
        case "safetensors": return try decoding(SafetensorsFile(file))
        case "gguf": return try GGUFFile(file)  // This throws an error that explains what is wrong.
        case "json" where url.lastPathComponent.hasSuffix(".index.json"):
            return try decoding(ShardedSafetensors(index: url))
        case let other:
            throw FormatError(
                .unsupported, at: url.path, "is not in a format that Meno reads (extension '\(other)').",
                advice: "Weights can be .safetensors, .safetensors.index.json or .gguf. Convert others, such as "
                    + "PyTorch's .bin, to safetensors.")
        }
    }

    private static func decoding(_ source: any WeightSource & SafetensorsTensors) throws -> any WeightSource {
        try BitsandbytesWeights(source) ?? source
    }

    private static func openFolder(_ folder: URL) throws -> any WeightSource {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        } catch {
            throw FormatError(.inputOutput, at: folder.path, "cannot be listed: \(error.localizedDescription)")
        }
        for name in ["model.safetensors", "model.safetensors.index.json"] where names.contains(name) {
            return try openFile(folder.appending(path: name))
        }
        // An adapter next to a model is not the model.
        let gguf = names.filter { $0.lowercased().hasSuffix(".gguf") }
        let safetensors = names.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix("adapter_model") }
        let candidates = gguf.isEmpty ? safetensors : gguf
        guard let only = candidates.first else {
            throw FormatError(
                .notFound, at: folder.path, "contains no weights.",
                advice: "Expected model.safetensors, model.safetensors.index.json with its shards, or a .gguf file.")
        }
        // A split model is identified by its first file.
        if let first = GGUFPartName(only), candidates.allSatisfy({ GGUFPartName($0)?.belongs(with: first) ?? false }) {
            return try openFile(folder.appending(path: only))
        }
        guard candidates.count == 1 else {
            throw FormatError(
                .unsupported, at: folder.path,
                "contains \(candidates.count) weight files: \(candidates.prefix(8).joined(separator: ", "))"
                    + "\(candidates.count > 8 ? ", …" : "").",
                advice: "Give the path of one of them.")
        }
        return try openFile(folder.appending(path: only))
    }
}
