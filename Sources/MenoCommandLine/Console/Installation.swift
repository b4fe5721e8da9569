import Foundation

/// Where the program's own files are.
enum Installation {
    /// The checkout that the program was built in; it holds `Examples` and `scripts`.
    static let root: URL? = {
        if let root = ProcessInfo.processInfo.environment["MENO_ROOT"] { return URL(filePath: root) }
        var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.path != "/" {
            if FileManager.default.fileExists(atPath: folder.appending(path: "scripts/fetch-model").path) {
                return folder
            }
            folder.deleteLastPathComponent()
        }
        return nil
    }()
}
