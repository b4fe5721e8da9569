package import Foundation
internal import MenoMetrics
internal import MenoReporting

/// The runs that a dashboard shows: that of a folder, or those of the folders in it. Nothing outside is ever read: a link
/// that leads out is no run.
package struct RunCatalog: Sendable {
    package let folder: URL

    package init(_ folder: URL) { self.folder = folder.standardizedFileURL.resolvingSymlinksInPath() }

    /// Names and folders, the newest run first.
    package var runs: [(name: String, url: URL)] {
        if holdsRun(folder) { return [(folder.lastPathComponent, folder)] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.map { ($0, folder.appending(path: $0)) }
            .filter { holdsRun($0.1) }
            .map { (name: $0.0, url: $0.1, date: recorded(by: $0.1)?.date ?? .distantPast) }
            .sorted { ($1.date, $0.name) < ($0.date, $1.name) }
            .map { ($0.name, $0.url) }
    }

    /// `nil` where no run has the name. A name is compared, never made part of a path.
    package func run(named name: String) -> URL? { runs.first { $0.name == name }?.url }

    /// Changes when there is something new to show of a run.
    func stamp(of run: URL) -> String { recorded(by: run).map { "\($0.size) \($0.date.timeIntervalSince1970)" } ?? "" }

    private func holdsRun(_ url: URL) -> Bool {
        guard let file = RunRecord.recording(in: url), isInside(file) else { return false }
        let configuration = RunLayout(url).configuration
        return !FileManager.default.fileExists(atPath: configuration.path) || isInside(configuration)
    }

    private func isInside(_ url: URL) -> Bool {
        url.resolvingSymlinksInPath().path.hasPrefix(folder.path.hasSuffix("/") ? folder.path : folder.path + "/")
    }

    private func recorded(by run: URL) -> (size: Int, date: Date)? {
        guard let file = RunRecord.recording(in: run),
            let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
        else { return nil }
        return (attributes[.size] as? Int ?? 0, attributes[.modificationDate] as? Date ?? .distantPast)
    }
}
