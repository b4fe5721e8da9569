import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoDashboard
@testable import MenoReporting

/// The text format, read by its rules.
@Suite struct PrometheusTextTests {
    private struct Sample: Hashable {
        var name: String
        var labels: [String: String]
        var value: String
    }

    private struct Malformed: Error { var line: String }

    /// Reads the format strictly: each family has its HELP and TYPE before its samples, and stands together.
    private func parse(_ text: String) throws -> [Sample] {
        var (samples, seen): ([Sample], Set<String>) = ([], [])
        var current = ""
        #expect(text.hasSuffix("\n"))
        for line in text.split(separator: "\n") {
            if let match = line.wholeMatch(of: /# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) .*/) {
                current = String(match.1)
                #expect(seen.insert(current).inserted, "\(current) stands twice")
                continue
            }
            if let match = line.wholeMatch(of: /# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (gauge|counter)/) {
                #expect(String(match.1) == current)
                #expect((match.2 == "counter") == current.hasSuffix("_total"))
                continue
            }
            guard let match = line.wholeMatch(of: /([a-z_]+)\{(.*)\} ([^ ]+)/) else {
                throw Malformed(line: String(line))
            }
            #expect(String(match.1) == current)
            var labels: [String: String] = [:]
            for label in String(match.2).matches(of: /([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/) {
                labels[String(label.1)] = String(label.2).replacing("\\n", with: "\n").replacing("\\\"", with: "\"")
                    .replacing("\\\\", with: "\\")
            }
            let value = String(match.3)
            guard Double(value) != nil || ["NaN", "+Inf", "-Inf"].contains(value) else { throw Malformed(line: value) }
            samples.append(Sample(name: current, labels: labels, value: value))
        }
        return samples
    }

    private func record(_ events: [RunEvent]) throws -> RunRecord {
        let folder = try TemporaryFolder()
        let progress = folder.url.appending(path: "training_progress")
        try FileManager.default.createDirectory(at: progress, withIntermediateDirectories: true)
        let lines = try events.map { String(decoding: try JSONEncoder.reproducible().encode($0), as: UTF8.self) }
        try lines.joined(separator: "\n").write(
            to: progress.appending(path: "events.jsonl"), atomically: true, encoding: .utf8)
        return try RunRecord(folder.url)
    }

    @Test func theLatestNumbersOfEachRun() throws {
        let alert = Alert(
            kind: .lossSpike, severity: .warning, startStep: 1, detectedStep: 2, message: "m", advice: "a")
        var over = alert
        over.kind = .overfitting
        over.endStep = 3
        let events: [RunEvent] = [
            .started(
                RunDescription(
                    model: "a \"model\"\n", architecture: "llama", device: "cuda:0", dtype: "bfloat16", trainSamples: 1,
                    evaluationSamples: 1, totalSteps: 9, stepsPerEpoch: 3, trainedParameters: 1, totalParameters: 2)),
            .step(
                StepMetrics(
                    step: 1, epoch: 0.5, loss: 3, gradientNorm: 1, learningRate: 0.1, tokens: 10, labels: 9, seconds: 1)
            ),
            .step(
                StepMetrics(
                    step: 2, epoch: 1, loss: .infinity, gradientNorm: .nan, learningRate: 0.05, tokens: 20, labels: 9,
                    seconds: 0.5)),
            .resources(
                ResourceUsage(
                    step: 2, resident: 1024, peakResident: 2048,
                    accelerators: [.init(index: 0, allocated: 7, reserved: 8, peakAllocated: 9)])),
            .evaluated(
                EvaluationMetrics(
                    step: 2, epoch: 1, loss: 0, tokenAccuracy: 0.5, completionLoss: nil, tokens: 1, samples: 1,
                    seconds: 1)),
            .alertBegan(alert), .alertBegan(over), .alertEnded(over),
        ]
        let run = try record(events)
        let samples = try parse(PrometheusText([("a", run), ("日本 \\ \"b\"", run)]).text)
        let value = { (name: String, more: [String: String]) in
            samples.first { sample in
                sample.name == "meno_\(name)" && sample.labels["run"] == "日本 \\ \"b\""
                    && more.allSatisfy { sample.labels[$0.key] == $0.value }
            }?.value
        }
        #expect(value("step", [:]) == "2.0" && value("total_steps", [:]) == "9.0")
        #expect(value("train_loss", [:]) == "+Inf" && value("gradient_norm", [:]) == "NaN")
        #expect(value("learning_rate", [:]) == "0.05" && value("tokens_per_second", [:]) == "40.0")
        #expect(value("tokens_total", [:]) == "30.0")
        #expect(value("eval_loss", [:]) == "0.0" && value("eval_perplexity", [:]) == "1.0")
        #expect(value("memory_resident_bytes", [:]) == "1024.0")
        #expect(value("gpu_memory_allocated_bytes", ["gpu": "0"]) == "7.0")
        #expect(value("alert", ["kind": "loss_spike", "severity": "warning"]) == "1.0")
        #expect(value("alert", ["kind": "overfitting"]) == "0.0" && value("alerts_total", [:]) == "2.0")
        #expect(value("run_info", ["model": "a \"model\"\n", "device": "cuda:0"]) == "1.0")
        #expect(Set(samples.map { "\($0.name) \($0.labels)" }).count == samples.count)
    }

    @Test func noRunsAreNoMetrics() { #expect(PrometheusText([]).text.isEmpty) }
}
