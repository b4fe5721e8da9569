import Foundation

/// Where the program's files are installed.
enum Installation {
    /// The folder that holds `Examples`: the checkout that the program was built in, or `share/meno` of a release.
    static let root: URL? = {
        if let root = ProcessInfo.processInfo.environment["MENO_ROOT"] { return URL(filePath: root) }
        // The first argument is the name as typed, which does not give the location if a shell found the program.
        let program = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        var folder = program.resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.path != "/" {
            for candidate in [folder, folder.appending(path: "share/meno")]
            where FileManager.default.fileExists(atPath: candidate.appending(path: "Examples/demo.yaml").path) {
                return candidate
            }
            folder.deleteLastPathComponent()
        }
        return nil
    }()

    /// The checkout's script that downloads catalog models with pip. A release has none and uses the Hub.
    static let fetchScript: URL? = root.map { $0.appending(path: "scripts/fetch-model") }
        .flatMap { FileManager.default.isExecutableFile(atPath: $0.path) ? $0 : nil }

    /// The command to show to users of this installation.
    static let command = fetchScript == nil ? "meno" : "./meno"
}
