public import Foundation

/// Finds files that tests read.
public enum Fixtures {
    /// The repository's root.
    public static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A committed fixture under `Tests/Reference/fixtures`.
    public static func url(_ path: String) -> URL {
        repository.appending(path: "Tests/Reference/fixtures").appending(path: path)
    }

    /// The 2,000 real dialogues beside the checkout, where present.
    public static let socraticDialogues = existing(
        repository.appending(path: "../shared/data/socratic_dialogues.ja.json"))

    /// A downloaded model of the user's cache (`meno models fetch`), where present.
    public static func model(_ file: String) -> URL? {
        let environment = ProcessInfo.processInfo.environment
        let cache =
            environment["MENO_CACHE"].map { URL(filePath: $0) }
            ?? environment["XDG_CACHE_HOME"].map { URL(filePath: $0).appending(path: "meno") }
            ?? URL(filePath: NSHomeDirectory()).appending(path: ".cache/meno")
        return existing(cache.appending(path: "models").appending(path: file))
    }

    private static func existing(_ url: URL) -> URL? {
        FileManager.default.fileExists(atPath: url.path) ? url.standardizedFileURL : nil
    }
}
