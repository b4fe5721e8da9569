package import Foundation
package import MenoMetrics

/// `events.jsonl`: every event of a run with what it took, a line of JSON each; a resumed run goes on in it, after an
/// empty line. Events that could not be written are counted there when it is possible again.
package final class EventsFile: RunObserver {
    private let url: URL
    private var file: LineFile?
    private let encoder: JSONEncoder

    package init(_ url: URL) {
        self.url = url
        encoder = .reproducible()
    }

    package func observe(_ event: RunEvent) throws {
        if case .started(let description) = event {
            let goesOn = description.resumedAtStep > 0 && FileManager.default.fileExists(atPath: url.path)
            if !goesOn { try Data().write(to: url) }
            file = try LineFile(url)
            // A killed process may have left a line cut short.
            if goesOn { try file?.add(line: Data()) }
        }
        guard let file else { return }
        if file.lost > 0 {
            let text = "\(file.lost) events before this one could not be written here: the record is incomplete."
            try file.add(line: try encoder.encode(RunEvent.warning(text)))
        }
        try file.add(line: try encoder.encode(event))
    }
}
