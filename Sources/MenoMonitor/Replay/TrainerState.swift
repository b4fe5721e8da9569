internal import Foundation
internal import MenoMetrics

/// A run of Hugging Face's `Trainer`, as its `trainer_state.json` records it.
enum TrainerState {
    /// The events that a run with this log would have told, in order, for ``Monitor/observe(_:)``.
    ///
    /// What the log does not say is not invented: a gradient norm, learning rate or accuracy that is absent is NaN,
    /// counts of tokens and durations are 0, names are empty. A loss or gradient norm that is NaN or infinite becomes
    /// `.stepSkipped`, though `Trainer` itself does not skip such steps.
    /// - Parameter data: the file. NaN and infinities may be written as Python writes them.
    /// - Throws: ``MonitorError`` with the line and column, or the entry and key.
    static func events(from data: Data) throws -> [RunEvent] {
        let bytes = [UInt8](data)
        let root = try JSONReader.read(bytes)
        let state = try Fields(root, place: "the file", bytes: bytes)
        guard let log = try state.list("log_history") else {
            throw MonitorError(
                .malformed, place: "log_history", "the file has no such key, so it records no run.",
                advice: "Give the trainer_state.json of a checkpoint.")
        }
        var events = [RunEvent.started(try description(state))]
        var lastStep = 0
        for (index, element) in log.enumerated() {
            let entry = try Fields(element, place: "log_history[\(index)]", bytes: bytes)
            guard let step = try entry.count("step") else {
                throw MonitorError(.malformed, place: "log_history[\(index)]", "this entry has no step.")
            }
            guard step >= lastStep else {
                throw MonitorError(
                    .malformed, place: "log_history[\(index)].step", "step \(step) follows step \(lastStep).",
                    advice: "Entries must be in the order of training.")
            }
            lastStep = step
            events += try self.events(entry, step: step, state)
        }
        return events
    }

    private static func description(_ state: Fields) throws -> RunDescription {
        let total = try state.count("max_steps") ?? 0
        let epochs = try state.number("num_train_epochs") ?? 0
        let perEpoch = epochs.isFinite && epochs >= 1 ? Int(Double(total) / epochs) : 0
        return RunDescription(
            model: "", architecture: "", device: "", dtype: "", trainSamples: 0, evaluationSamples: 0,
            totalSteps: total, stepsPerEpoch: perEpoch, trainedParameters: 0, totalParameters: 0)
    }

    private static func events(_ entry: Fields, step: Int, _ state: Fields) throws -> [RunEvent] {
        let epoch = try entry.number("epoch") ?? .nan
        var events: [RunEvent] = []
        if let loss = try entry.number("loss") {
            let norm = try entry.number("grad_norm")
            if loss.isFinite, norm?.isFinite ?? true {
                events.append(
                    .step(
                        StepMetrics(
                            step: step, epoch: epoch, loss: loss, gradientNorm: norm ?? .nan,
                            learningRate: try entry.number("learning_rate") ?? .nan, tokens: 0, labels: 0, seconds: 0)))
            } else {
                let reason = loss.isFinite ? "the gradient norm is \(norm ?? .nan)." : "the loss is \(loss)."
                events.append(.stepSkipped(step: step, reason: reason, records: []))
            }
        }
        if let loss = try entry.number("eval_loss") {
            events.append(
                .evaluated(
                    EvaluationMetrics(
                        step: step, epoch: epoch, loss: loss,
                        tokenAccuracy: try entry.number("eval_mean_token_accuracy")
                            ?? entry.number("eval_token_accuracy") ?? .nan,
                        completionLoss: nil, tokens: 0, samples: 0, seconds: try entry.number("eval_runtime") ?? 0)))
        }
        // The summary that ends a run.
        if let seconds = try entry.number("train_runtime") {
            events.append(
                .finished(
                    RunOutcome(
                        reason: .completed, step: step, seconds: seconds,
                        bestStep: try state.count("best_global_step"), bestMetric: try state.number("best_metric"))))
        }
        return events
    }
}

/// The members of an object, asked for by kind.
private struct Fields {
    private let members: [String: JSONValue]
    private let place: String
    private let bytes: [UInt8]

    init(_ value: JSONValue, place: String, bytes: [UInt8]) throws {
        guard case .object(let members) = value.content else {
            throw MonitorError(
                .malformed, place: "\(place), \(JSONReader.place(of: value.offset, in: bytes))",
                "expected an object, found \(value.kind).")
        }
        self.members = members
        self.place = place
        self.bytes = bytes
    }

    /// `nil` where the key is absent or null.
    func number(_ key: String) throws -> Double? {
        guard let value = member(key) else { return nil }
        guard case .number(let number) = value.content else { throw wrong(key, value, "a number") }
        return number
    }

    /// A whole number of 0 or more; `nil` where the key is absent or null, or the number negative (as in -1: not set).
    func count(_ key: String) throws -> Int? {
        guard let number = try number(key), let value = member(key), !(number < 0) else { return nil }
        guard number <= 4_503_599_627_370_496, number == number.rounded() else {
            throw wrong(key, value, "a whole number")
        }
        return Int(number)
    }

    func list(_ key: String) throws -> [JSONValue]? {
        guard let value = member(key) else { return nil }
        guard case .array(let elements) = value.content else { throw wrong(key, value, "a list") }
        return elements
    }

    private func member(_ key: String) -> JSONValue? {
        guard let value = members[key] else { return nil }
        if case .null = value.content { return nil }
        return value
    }

    private func wrong(_ key: String, _ value: JSONValue, _ expected: String) -> MonitorError {
        let path = place == "the file" ? key : "\(place).\(key)"
        return MonitorError(
            .malformed, place: "\(path), \(JSONReader.place(of: value.offset, in: bytes))",
            "expected \(expected), found \(value.kind).")
    }
}
