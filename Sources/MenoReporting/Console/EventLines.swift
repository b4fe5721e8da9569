internal import Foundation
package import MenoMetrics

/// Tells events as lines of JSON, for programs that follow a run.
package final class EventLines: RunObserver {
    private let isTold: (RunEvent) -> Bool
    private let write: (String) -> Void
    private let encoder = JSONEncoder.reproducible()

    /// - Parameters:
    ///   - isTold: which events have a line.
    ///   - write: takes a line without its end.
    package init(of isTold: @escaping (RunEvent) -> Bool = { _ in true }, write: @escaping (String) -> Void) {
        self.isTold = isTold
        self.write = write
    }

    /// The line of what ends a program, in the shape of the events.
    package static func line(error: String) throws -> String {
        String(decoding: try JSONEncoder.reproducible().encode(["error": ["_0": error]]), as: UTF8.self)
    }

    package func observe(_ event: RunEvent) throws {
        guard isTold(event) else { return }
        write(String(decoding: try encoder.encode(event), as: UTF8.self))
    }
}
