internal import Foundation
public import MenoMetrics

/// Tells events as lines of JSON, for programs that follow a run.
public final class EventLines: RunObserver {
    private let isTold: (RunEvent) -> Bool
    private let write: (String) -> Void
    private let encoder = JSONEncoder.reproducible()

    /// - Parameters:
    ///   - isTold: which events have a line.
    ///   - write: takes a line without its end.
    public init(of isTold: @escaping (RunEvent) -> Bool = { _ in true }, write: @escaping (String) -> Void) {
        self.isTold = isTold
        self.write = write
    }

    /// The line of what ends a program, in the shape of the events.
    public static func line(error: String) throws -> String {
        String(decoding: try JSONEncoder.reproducible().encode(["error": ["_0": error]]), as: UTF8.self)
    }

    public func observe(_ event: RunEvent) throws {
        guard isTold(event) else { return }
        write(String(decoding: try encoder.encode(event), as: UTF8.self))
    }
}
