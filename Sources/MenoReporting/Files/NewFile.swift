internal import Foundation

extension FileHandle {
    /// Makes a file that was not there, also where another process does so at the same time, and opens it.
    /// - Parameter names: without end; the first that is free becomes its name.
    static func newFile(in folder: URL, names: some Sequence<String>) throws -> FileHandle {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in names {
            let url = folder.appending(path: name)
            do {
                try Data().write(to: url, options: .withoutOverwriting)
                return try FileHandle(forWritingTo: url)
            } catch CocoaError.fileWriteFileExists {
                continue
            }
        }
        preconditionFailure("names have no end")
    }
}
