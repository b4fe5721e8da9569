internal import MenoFormats
internal import MenoMetrics

/// What one step or evaluation measured, by the names of Hugging Face's `log_history`: an element of that list, or a line
/// of a `metrics.jsonl`, which also has tokens and steps that were not applied.
///
/// What the entry does not say is not invented: a gradient norm, learning rate or accuracy that is absent is NaN, counts
/// of tokens and durations are 0. A loss or gradient norm that is NaN or infinite becomes `.stepSkipped`, though `Trainer`
/// itself does not skip such steps.
enum RecordedEntry {
    /// `best` is what a run that ends with this entry calls its best step and metric.
    static func events(
        _ entry: Fields, step: Int, best: (step: Int?, metric: Double?) = (nil, nil)
    ) throws -> [RunEvent] {
        let epoch = try entry.number("epoch") ?? .nan
        var events: [RunEvent] = []
        if let reason = try entry.text("skipped") {
            let records = try entry.list("records")?.compactMap(\.string) ?? []
            events.append(.stepSkipped(step: step, reason: reason, records: records))
        }
        if let loss = try entry.number("loss") {
            events.append(try self.step(entry, step: step, epoch: epoch, loss: loss))
        }
        if let loss = try entry.number("eval_loss") {
            let accuracy = try entry.number("eval_token_accuracy") ?? entry.number("eval_mean_token_accuracy")
            events.append(
                .evaluated(
                    EvaluationMetrics(
                        step: step, epoch: epoch, loss: loss, tokenAccuracy: accuracy ?? .nan,
                        completionLoss: try entry.number("eval_completion_loss"),
                        tokens: try entry.count("eval_tokens") ?? 0, samples: try entry.count("eval_samples") ?? 0,
                        seconds: try entry.number("eval_runtime") ?? 0,
                        objective: try objective(entry, prefix: "eval_"))))
        }
        // The summary that ends a run.
        if let seconds = try entry.number("train_runtime") {
            events.append(
                .finished(
                    RunOutcome(
                        reason: .completed, step: step, seconds: seconds, bestStep: best.step, bestMetric: best.metric))
            )
        }
        return events
    }

    private static func step(_ entry: Fields, step: Int, epoch: Double, loss: Double) throws -> RunEvent {
        let norm = try entry.number("grad_norm")
        guard loss.isFinite, norm?.isFinite ?? true else {
            let reason = loss.isFinite ? "the gradient norm is \(norm ?? .nan)." : "the loss is \(loss)."
            return .stepSkipped(step: step, reason: reason, records: [])
        }
        return .step(
            StepMetrics(
                step: step, epoch: epoch, loss: loss, gradientNorm: norm ?? .nan,
                learningRate: try entry.number("learning_rate") ?? .nan, tokens: try entry.count("tokens") ?? 0,
                labels: try entry.count("labels") ?? 0, seconds: 0, objective: try objective(entry, prefix: "")))
    }

    /// What an objective measured, as TRL's trainers log it; `nil` where they are not its.
    private static func objective(_ entry: Fields, prefix: String) throws -> ObjectiveMetrics? {
        var metrics = ObjectiveMetrics()
        for metric in ObjectiveMetric.allCases {
            guard let value = try entry.number(prefix + metric.rawValue), value.isMeasured else { continue }
            metrics.values[metric] = value
        }
        return metrics.values.isEmpty ? nil : metrics
    }
}

extension RunDescription {
    /// Of a run of which no more was recorded.
    static func unknown(totalSteps: Int, stepsPerEpoch: Int = 0) -> RunDescription {
        RunDescription(
            model: "", architecture: "", device: "", dtype: "", trainSamples: 0, evaluationSamples: 0,
            totalSteps: totalSteps, stepsPerEpoch: stepsPerEpoch, trainedParameters: 0, totalParameters: 0)
    }
}
