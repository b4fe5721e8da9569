internal import Foundation
internal import MenoFormats
internal import MenoMetrics

/// A run of Meno, as its `events.jsonl` or `metrics.jsonl` records it: an event, or what a step or an evaluation measured,
/// in every line.
enum EventLog {
    /// Whether the first line is an object of its own; a `trainer_state.json` in one line is told by its key.
    static func begins(_ data: Data) -> Bool {
        let start = data.drop { $0 == 0x20 || $0 == 0x0D || $0 == 0x0A }
        guard let line = start.split(separator: UInt8(ascii: "\n"), maxSplits: 1).first,
            let value = try? RecordedJSON([UInt8](line)).value, value.object != nil
        else { return false }
        return value["log_history"] == nil
    }

    /// - Returns: the events, and the numbers of the lines that are none: a run that was killed leaves a line cut short.
    /// - Throws: ``MonitorError`` where there is no event at all.
    static func events(from data: Data) throws -> (events: [RunEvent], unreadableLines: [Int]) {
        let decoder = JSONDecoder.reproducible()
        var events: [RunEvent] = []
        var unreadableLines: [Int] = []
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains(where: { !($0 == 0x20 || $0 == 0x0D) }) {
            if let event = try? decoder.decode(RunEvent.self, from: Data(line)) {
                events.append(event)
            } else if let measured = try? self.measured([UInt8](line)) {
                events += measured
            } else {
                unreadableLines.append(index + 1)
            }
        }
        guard !events.isEmpty else {
            throw MonitorError(
                .malformed, at: "line 1", "this line is not an event of a run, and neither is any other.",
                advice: "Give the events.jsonl or metrics.jsonl of a run, or a trainer_state.json.")
        }
        return (events, unreadableLines)
    }

    /// `nil` for an object without a step.
    private static func measured(_ line: [UInt8]) throws -> [RunEvent]? {
        let entry = try Fields(RecordedJSON(line))
        guard let step = try entry.count("step") else { return nil }
        return try RecordedEntry.events(entry, step: step)
    }
}
