public import Foundation
public import MenoMetrics

/// `events.jsonl`: every event of a run with what it took, a line of JSON each; a resumed run goes on in it, after an
/// empty line.
public final class EventsFile: RunObserver {
    private let url: URL
    private var file: FileHandle?
    private let encoder: JSONEncoder

    public init(_ url: URL) {
        self.url = url
        encoder = EventEncoder.make()
    }

    public func observe(_ event: RunEvent) throws {
        if case .started(let description) = event {
            let goesOn = description.resumedAtStep > 0 && FileManager.default.fileExists(atPath: url.path)
            if !goesOn { try Data().write(to: url) }
            file = try FileHandle(forWritingTo: url)
            try file?.seekToEnd()
            // A killed process may have left a line cut short.
            if goesOn { try file?.write(contentsOf: Data("\n".utf8)) }
        }
        try file?.write(contentsOf: try encoder.encode(event) + Data("\n".utf8))
    }
}
