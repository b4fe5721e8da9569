internal import Foundation
internal import MenoData

/// The kind of thing at a path given to `inspect`.
package enum InspectedPath {
    /// A file, folder or pattern of records.
    case data(String)
    case adapter(AdapterFolder)
    /// A model's folder or file, a name, or a path that does not exist.
    case other

    package init(_ path: String) {
        let url = URL(filePath: path)
        var isFolder: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        if isFolder.boolValue {
            if let adapter = AdapterFolder(url) {
                self = .adapter(adapter)
            } else {
                self = Self.isOther(url) || !SourceFiles.mayHoldRecords(url.path) ? .other : .data(path)
            }
        } else {
            let kind = url.pathExtension.lowercased()
            let isModel = ["gguf", "safetensors", "bin", "pt", "pth"].contains(kind)
            let isPattern = path.contains { "*?[".contains($0) }
            self = isThere && !isModel || isPattern || SourceFile.extensions.contains(kind) ? .data(path) : .other
        }
    }

    /// Whether a folder holds a model or a run.
    private static func isOther(_ folder: URL) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.contains { name in
            ["config.json", "tokenizer.json", "tokenizer_config.json", "run.yaml", "manifest.json"].contains(name)
                || name.hasSuffix(".gguf") || name.hasSuffix(".safetensors")
        }
    }
}
