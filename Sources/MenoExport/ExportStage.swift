package import Foundation
internal import MenoFormats

/// The hidden folder in which an export is made; what is complete moves to its place in one step.
///
/// It lies beside the result, so that moving it copies nothing. It is removed when this object goes away.
package final class ExportStage {
    /// Where the result will be.
    package let target: URL
    /// Files are written here.
    package let folder: URL

    /// - Throws: ``ExportError`` where something is at the target already, or the folder cannot be made.
    package init(for target: URL) throws {
        self.target = target
        folder = target.deletingLastPathComponent().appending(path: ".\(target.lastPathComponent).partial")
        guard !FileManager.default.fileExists(atPath: target.path) else {
            throw ExportError(
                .exists, at: target.path, "already exists.", advice: "Choose another path, or remove it first.")
        }
        do {
            // What an export that was killed has left.
            try? FileManager.default.removeItem(at: folder)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw ExportError(
                .cannotWrite, at: folder.path, "cannot be created (\(error.localizedDescription)).",
                advice: "Choose a path that you can write to.")
        }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    package func url(_ name: String) -> URL { folder.appending(path: name) }

    package func write(_ text: String, to name: String) throws { try write(Data(text.utf8), to: name) }

    package func write(_ data: Data, to name: String) throws {
        try WholeFile.write(data, to: url(name), durability: .contents)
    }

    /// Moves one file of the folder, or the whole folder, to the target.
    /// - Parameter file: `nil`: the folder.
    package func finish(file: String? = nil) throws {
        let source = file.map(url) ?? folder
        try WholeFile.synchronize(folder)
        // A rename replaces what came there meanwhile only where both are files.
        guard !FileManager.default.fileExists(atPath: target.path), rename(source.path, target.path) == 0 else {
            throw ExportError(
                .cannotWrite, at: target.path, "cannot be moved into place: \(String(cString: strerror(errno))).")
        }
        try WholeFile.synchronize(target.deletingLastPathComponent())
    }
}
