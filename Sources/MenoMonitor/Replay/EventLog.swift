internal import Foundation
internal import MenoMetrics

/// A run of Meno, as its `metrics.jsonl` records it: an event in every line.
enum EventLog {
    /// Whether the first line is an object of its own, as an event is; a `trainer_state.json` in one line is told by its
    /// key.
    static func begins(_ data: Data) -> Bool {
        guard let line = data.split(separator: UInt8(ascii: "\n"), maxSplits: 1).first,
            let value = try? JSONReader.read([UInt8](line)), case .object(let members) = value.content
        else { return false }
        return members["log_history"] == nil
    }

    /// - Parameter data: the file. A last line without an end, as a run that was killed leaves, may be cut short.
    /// - Throws: ``MonitorError`` with the line.
    static func events(from data: Data) throws -> [RunEvent] {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        var events: [RunEvent] = []
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains(where: { !($0 == 0x20 || $0 == 0x0D) }) {
            do {
                events.append(try decoder.decode(RunEvent.self, from: Data(line)))
            } catch {
                if index == lines.count - 1 { break }
                throw MonitorError(
                    .malformed, place: "line \(index + 1)", "this is no event of a run.",
                    advice: "Give the metrics.jsonl of a run, or a trainer_state.json.")
            }
        }
        guard !events.isEmpty else {
            throw MonitorError(.malformed, place: nil, "the file holds no event of a run.")
        }
        return events
    }
}
