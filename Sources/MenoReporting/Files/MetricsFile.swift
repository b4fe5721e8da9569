public import Foundation
public import MenoMetrics

/// Writes every event of a run as a line of JSON.
public final class MetricsFile: RunObserver {
    private let file: FileHandle
    private let encoder: JSONEncoder

    /// - Parameter url: a new file; an existing one is replaced.
    public init(_ url: URL) throws {
        try Data().write(to: url)
        file = try FileHandle(forWritingTo: url)
        encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    }

    public func observe(_ event: RunEvent) throws {
        try file.write(contentsOf: try encoder.encode(event) + Data("\n".utf8))
    }
}
