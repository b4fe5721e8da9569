package import Foundation
internal import MenoData

/// What a path that is to be described is.
package enum InspectedPath {
    case data(URL)
    case adapter(AdapterFolder)
    /// A model's folder or file, a name, or nothing that is there.
    case other

    package init(_ path: String) {
        let url = URL(filePath: path)
        var isFolder: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        if isFolder.boolValue {
            self = AdapterFolder(url).map { .adapter($0) } ?? .other
        } else {
            let kind = url.pathExtension.lowercased()
            let isModel = ["gguf", "safetensors", "bin", "pt", "pth"].contains(kind)
            self = isThere && !isModel || RecordFile.extensions.contains(kind) ? .data(url) : .other
        }
    }
}
