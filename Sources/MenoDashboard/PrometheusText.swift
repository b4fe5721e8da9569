internal import MenoMetrics
internal import MenoMonitor
internal import MenoReporting

/// The latest numbers of runs in Prometheus' text format, version 0.0.4.
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private enum Kind: String { case gauge, counter }

    private struct Family {
        var name: String
        var kind: Kind
        var help: String
        var samples: [(labels: [(name: String, value: String)], value: Double)] = []
    }

    private var families: [Family] = []

    init(_ runs: [(name: String, run: RunRecord)]) { for (name, run) in runs { add(name, run) } }

    private mutating func add(_ name: String, _ run: RunRecord) {
        let label = [("run", name)]
        if let description = run.description, !description.model.isEmpty {
            add(
                "run_info", "What a run trains; always 1.",
                label + [
                    ("model", description.model), ("architecture", description.architecture),
                    ("device", description.device), ("dtype", description.dtype),
                ], 1)
            add("total_steps", "Optimizer steps of the whole run.", label, Double(description.totalSteps))
        }
        if let isRunning = run.isRunning {
            add("running", "Whether a process is training in the run's folder.", label, isRunning ? 1 : 0)
        }
        if let outcome = run.outcome {
            add("finished", "How the run ended; always 1.", label + [("reason", outcome.reason.rawValue)], 1)
        }
        if let step = run.steps.last {
            add("step", "Optimizer steps done.", label, Double(step.step))
            add("epoch", "Passes over the training data.", label, step.epoch)
            add("train_loss", "Loss of the latest step, in nats.", label, step.loss)
            add("learning_rate", "Learning rate of the latest step.", label, step.learningRate)
            add("gradient_norm", "Norm of the latest step's gradients, before clipping.", label, step.gradientNorm)
            if step.seconds > 0 {
                add("tokens_per_second", "Tokens trained per second in the latest step.", label, step.tokensPerSecond)
            }
            let tokens = run.steps.reduce(0) { $0 + $1.tokens }
            add("tokens_total", "Tokens trained.", label, Double(tokens), .counter)
        }
        if let evaluation = run.evaluations.last {
            add("eval_step", "Step of the latest evaluation.", label, Double(evaluation.step))
            add("eval_loss", "Loss of the latest evaluation, in nats.", label, evaluation.loss)
            if evaluation.objective == nil {
                add("eval_perplexity", "Perplexity of the latest evaluation.", label, evaluation.perplexity)
            }
            add(
                "eval_token_accuracy", "Share of tokens ranked first in the latest evaluation.", label,
                evaluation.tokenAccuracy)
        }
        if let usage = run.resources.last {
            add("memory_resident_bytes", "Resident memory of the process.", label, Double(usage.resident))
            for accelerator in usage.accelerators {
                add(
                    "gpu_memory_allocated_bytes", "Memory in tensors on a GPU.",
                    label + [("gpu", "\(accelerator.index)")], Double(accelerator.allocated))
            }
        }
        add("checkpoints", "Checkpoints on disk.", label, Double(run.checkpoints.count))
        add("skipped_steps_total", "Steps that were skipped.", label, Double(run.skipped.count), .counter)
        // An alert that has ended is exported as 0, so that an alarm on it ends too.
        for (kind, alerts) in Dictionary(grouping: run.alerts, by: \.kind).sorted(by: {
            $0.key.rawValue < $1.key.rawValue
        }) {
            let open = alerts.filter { $0.endStep == nil }
            let severity = (open.isEmpty ? alerts : open).map(\.severity).max() ?? .info
            add(
                "alert", "Ongoing alerts.",
                label + [("kind", kind.rawValue), ("severity", severity.rawValue)], Double(open.count))
        }
        add("alerts_total", "Alerts since the run began.", label, Double(run.alerts.count), .counter)
    }

    private mutating func add(
        _ name: String, _ help: String, _ labels: [(String, String)], _ value: Double, _ kind: Kind = .gauge
    ) {
        let name = "meno_\(name)"
        let sample = (labels: labels.map { (name: $0.0, value: $0.1) }, value: value)
        if let index = families.firstIndex(where: { $0.name == name }) {
            families[index].samples.append(sample)
        } else {
            families.append(Family(name: name, kind: kind, help: help, samples: [sample]))
        }
    }

    var text: String {
        families.map { family in
            let head = "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind.rawValue)\n"
            return head
                + family.samples.map { sample in
                    let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
                    return "\(family.name){\(labels.joined(separator: ","))} \(Self.number(sample.value))\n"
                }.joined()
        }.joined()
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return "\(value)"
    }
}
