internal import Foundation
internal import MenoFormats
internal import MenoMetrics

/// A run of Hugging Face's `Trainer`, as its `trainer_state.json` records it.
enum TrainerLog {
    /// The events that a run with this log would have told, in order.
    /// - Parameter data: the file. NaN and infinities may be written as Python writes them.
    /// - Throws: ``MonitorError`` with the line and column, or the entry and key.
    static func events(from data: Data) throws -> [RunEvent] {
        let file = try RecordedJSON([UInt8](data))
        let state = try Fields(file)
        guard let log = try state.list("log_history") else {
            throw MonitorError(
                .malformed, at: "log_history", "the file has no such key, so it does not record a run.",
                advice: "Give the trainer_state.json of a checkpoint.")
        }
        let best = (step: try state.count("best_global_step"), metric: try state.number("best_metric"))
        var events = [RunEvent.started(try description(state))]
        var lastStep = 0
        for (index, element) in log.enumerated() {
            let entry = try Fields(file, element, at: [.member("log_history"), .element(index)])
            guard let step = try entry.count("step") else {
                throw MonitorError(.malformed, at: "log_history[\(index)]", "this entry has no step.")
            }
            guard step >= lastStep else {
                throw MonitorError(
                    .malformed, at: "log_history[\(index)].step", "step \(step) follows step \(lastStep).",
                    advice: "Entries must be in the order of training.")
            }
            lastStep = step
            events += try RecordedEntry.events(entry, step: step, best: best)
        }
        return events
    }

    private static func description(_ state: Fields) throws -> RunDescription {
        let total = try state.count("max_steps") ?? 0
        let epochs = try state.number("num_train_epochs") ?? 0
        let perEpoch = epochs.isFinite && epochs >= 1 ? Int(Double(total) / epochs) : 0
        return .unknown(totalSteps: total, stepsPerEpoch: perEpoch)
    }
}
