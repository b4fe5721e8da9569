package import Foundation
package import MenoMetrics

/// Tells on the console, line by line, how a run goes: a line for every interval of its log, with the mean loss over its steps
/// as in `trainer_state.json`.
package final class ConsoleReporter: ResumableObserver {
    package let stateName = "console"
    private let write: (String) -> Void
    private let progress: ((String) -> Void)?
    private var description: RunDescription?
    private var window = LogWindow()
    private var left = TimeLeft()
    private var loss: Double?
    private var evaluation: EvaluationMetrics?
    private var resident = 0

    /// - Parameters:
    ///   - progress: takes, after every step, a line that replaces the one before it; `nil`: there is none.
    ///   - write: takes a line without its end.
    package init(progress: ((String) -> Void)? = nil, write: @escaping (String) -> Void) {
        self.progress = progress
        self.write = write
    }

    package func observe(_ event: RunEvent) throws {
        switch event {
        case .started(let description): started(description)
        case .step(let metrics): step(metrics)
        case .evaluated(let metrics):
            evaluated(metrics)
            evaluation = metrics
            left.add(metrics)
        case .resources(let usage):
            resident = usage.resident
            // They are read with every line of the log; to a reader they tell little between evaluations.
            if usage.step == evaluation?.step { resources(usage) }
        case .checkpointSaved(let record): write("saved \(record.path)")
        case .checkpointRemoved(let record): write("removed \(record.path)")
        case .checkpointFailed(_, let step, let reason):
            write("step \(step): saving failed, training continues: \(reason)")
        case .probed(_, let answers):
            left.add(answers)
            for answer in answers { write("Q: \(answer.question)\nA: \(answer.answer)") }
        case .stepSkipped(let step, let reason, let records):
            write("step \(step) was skipped: \(reason) Records: \(records.joined(separator: ", "))")
        case .alertBegan(let alert):
            write("\(alert.severity.rawValue), since step \(alert.startStep): \(alert.message) \(alert.advice)")
        case .alertEnded(let alert): write("ended at step \(alert.endStep ?? alert.detectedStep): \(alert.message)")
        case .notice(let text): write(text)
        case .warning(let text): write("warning: \(text)")
        case .finished(let outcome): finished(outcome)
        }
    }

    /// The steps since the last line: the next one is the same whether or not the run was resumed between.
    package func state() throws -> Data { try JSONEncoder.reproducible().encode(window) }

    package func restore(_ state: Data) throws {
        window = try JSONDecoder.reproducible().decode(LogWindow.self, from: state)
    }

    private func started(_ description: RunDescription) {
        self.description = description
        left.begin(description)
        let share = 100 * Double(description.trainedParameters) / Double(max(1, description.totalParameters))
        write(
            "training \(description.model) (\(description.architecture)) on \(description.device) in \(description.dtype): "
                + "\(description.trainedParameters) of \(description.totalParameters) parameters "
                + "(\(fixed(share, 2)) %)")
        write("Training dataset size: \(description.trainSamples)")
        write("Evaluation dataset size: \(description.evaluationSamples)")
        write("\(description.totalSteps) steps, \(description.stepsPerEpoch) per epoch")
    }

    private func step(_ metrics: StepMetrics) {
        window.add(metrics)
        left.add(metrics)
        let total = description?.totalSteps ?? 0
        let loggingSteps = max(1, description?.loggingSteps ?? 1)
        defer { progress?(progressLine(metrics, total: total)) }
        let isFirst = metrics.step == 1 && description?.logsFirstStep ?? false
        guard metrics.step % loggingSteps == 0 || metrics.step == total || isFirst else { return }
        loss = window.loss
        let accuracy = window.accuracy.map { "accuracy \(fixed(100 * $0, 1)) %  " } ?? ""
        let rewards = accuracy + (window.margin.map { "margin \(fixed($0, 3))  " } ?? "")
        write(
            "step \(metrics.step)/\(total)  epoch \(fixed(metrics.epoch, 2))  loss \(fixed(window.loss, 4))  "
                + rewards
                + "lr \(String(format: "%.2e", metrics.learningRate))  grad norm \(fixed(metrics.gradientNorm, 3))  "
                + "\(fixed(window.tokensPerSecond, 0)) tokens/s  \(DurationText.english(left.seconds(after: metrics.step))) left"
        )
        window = LogWindow()
    }

    /// What fits beside a bar: steps, epoch, loss, perplexity, speed, memory, time.
    private func progressLine(_ metrics: StepMetrics, total: Int) -> String {
        let width = 20
        let done = total > 0 ? min(width, width * metrics.step / total) : 0
        let bar = String(repeating: "█", count: done) + String(repeating: "░", count: width - done)
        var parts = [
            "\(bar) \(metrics.step)/\(total)", "epoch \(fixed(metrics.epoch, 2))", "loss \(fixed(metrics.loss, 3))",
        ]
        if let evaluation, evaluation.objective == nil { parts.append("ppl \(fixed(evaluation.perplexity, 2))") }
        if let accuracy = metrics.objective?[.rewardAccuracies] { parts.append("acc \(fixed(100 * accuracy, 0)) %") }
        parts.append("\(fixed(metrics.tokensPerSecond, 0)) tok/s")
        if resident > 0 { parts.append("\(resident >> 20) MiB") }
        parts.append("\(DurationText.english(left.seconds(after: metrics.step))) left")
        return parts.joined(separator: "  ")
    }

    private func evaluated(_ metrics: EvaluationMetrics) {
        var line = "evaluation after step \(metrics.step): loss \(fixed(metrics.loss, 4))  "
        if let objective = metrics.objective {
            line += objective.ordered.map { metric, value in
                metric == .rewardAccuracies
                    ? "accuracy \(fixed(100 * value, 1)) %" : "\(metric.rawValue) \(fixed(value, 3))"
            }.joined(separator: "  ")
        } else {
            line +=
                "perplexity \(fixed(metrics.perplexity, 3))  token accuracy "
                + "\(fixed(100 * metrics.tokenAccuracy, 1)) %"
            if let perplexity = metrics.completionPerplexity {
                line += "  completion perplexity \(fixed(perplexity, 3))"
            }
        }
        write(line + "  (\(metrics.samples) samples, \(metrics.tokens) tokens, \(fixed(metrics.seconds, 1)) s)")
    }

    private func resources(_ usage: ResourceUsage) {
        write("CPU Memory usage: \(mebibytes(usage.resident)) MiB (peak \(mebibytes(usage.peakResident)) MiB)")
        for accelerator in usage.accelerators {
            write("GPU \(accelerator.index) Memory:")
            write("  - Allocated: \(mebibytes(accelerator.allocated)) MiB")
            write("  - Reserved: \(mebibytes(accelerator.reserved)) MiB")
            write("  - Max Allocated: \(mebibytes(accelerator.peakAllocated)) MiB")
            if let share = accelerator.utilization { write("  - Utilization: \(fixed(100 * share, 0)) %") }
        }
    }

    private func finished(_ outcome: RunOutcome) {
        let verb =
            switch outcome.reason {
            case .completed: "Training completed"
            case .stoppedEarly: "Training stopped early"
            case .interrupted: "Training interrupted"
            case .failed: "Training failed"
            }
        write("\(verb) after step \(outcome.step). Duration: \(DurationText.english(outcome.seconds))")
        if let message = outcome.message { write(message) }
        if let loss { write("Final training loss: \(fixed(loss, 4))") }
        if let evaluation {
            write("Final evaluation loss: \(fixed(evaluation.loss, 4))")
            if evaluation.objective == nil { write("Final perplexity: \(fixed(evaluation.perplexity, 4))") }
            if let accuracy = evaluation.objective?[.rewardAccuracies] {
                write("Final accuracy of preferences: \(fixed(100 * accuracy, 1)) %")
            }
        }
        if let seconds = outcome.observerSeconds, outcome.seconds > 0 {
            write("Observers: \(fixed(seconds, 2)) s, \(fixed(100 * seconds / outcome.seconds, 2)) % of the run")
        }
    }

    private func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / 1_048_576, 2) }
    private func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
