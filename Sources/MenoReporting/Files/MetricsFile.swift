package import Foundation
internal import MenoFormats
package import MenoMetrics

/// `metrics.jsonl`: what each step and each evaluation computed, a line of JSON each.
///
/// It holds no times, so that a run that was cut and resumed writes the very same bytes as one that was not.
package final class MetricsFile: ResumableObserver {
    private struct StepLine: Encodable {
        var step: Int
        var epoch: Double
        var loss: Double
        var gradNorm: Double
        var learningRate: Double
        var tokens: Int
        var labels: Int
    }

    /// A line with what an objective measured beside it.
    private struct Line<Part: Encodable>: Encodable {
        var part: Part
        var objective: ObjectiveMetrics?
        var prefix = ""

        func encode(to encoder: any Encoder) throws {
            try part.encode(to: encoder)
            try objective?.encode(to: encoder, prefix: prefix)
        }
    }

    private struct EvaluationLine: Encodable {
        var step: Int
        var epoch: Double
        var evalLoss: Double
        var evalPerplexity: Double?
        var evalTokenAccuracy: Double
        var evalCompletionLoss: Double?
        var evalTokens: Int
        var evalSamples: Int
    }

    private struct SkippedLine: Encodable {
        var step: Int
        var skipped: String
        var records: [String]
    }

    private struct State: Codable { var bytes: UInt64 }

    package let stateName = "metrics"
    private let url: URL
    private var file: LineFile?
    private let encoder: JSONEncoder

    /// - Parameter url: the file; one that is there is replaced when a run starts from scratch.
    package init(_ url: URL) {
        self.url = url
        encoder = .reproducible(snakeCase: true)
    }

    package func observe(_ event: RunEvent) throws {
        switch event {
        case .started where file == nil:
            try create()
        case .step(let metrics):
            let line = StepLine(
                step: metrics.step, epoch: metrics.epoch, loss: metrics.loss, gradNorm: metrics.gradientNorm,
                learningRate: metrics.learningRate, tokens: metrics.tokens, labels: metrics.labels)
            try write(Line(part: line, objective: metrics.objective))
        case .evaluated(let metrics):
            let line = EvaluationLine(
                step: metrics.step, epoch: metrics.epoch, evalLoss: metrics.loss,
                evalPerplexity: metrics.objective == nil ? metrics.perplexity : nil,
                evalTokenAccuracy: metrics.tokenAccuracy, evalCompletionLoss: metrics.completionLoss,
                evalTokens: metrics.tokens, evalSamples: metrics.samples)
            try write(Line(part: line, objective: metrics.objective, prefix: "eval_"))
        case .stepSkipped(let step, let reason, let records):
            try write(SkippedLine(step: step, skipped: reason, records: records))
        default: break
        }
    }

    private func write(_ line: some Encodable) throws {
        try file?.add(line: try encoder.encode(line))
    }

    package func state() throws -> Data {
        try file?.synchronize()
        return try JSONEncoder().encode(State(bytes: file?.end ?? 0))
    }

    /// Cuts off what was written after the state. A file that has become shorter is continued at its end.
    package func restore(_ state: Data) throws {
        let bytes = try JSONDecoder().decode(State.self, from: state).bytes
        if FileManager.default.fileExists(atPath: url.path) { file = try LineFile(url) } else { try create() }
        try file?.cut(at: bytes)
    }

    /// Checkpoints count on what is in it: a power loss must not take its name.
    private func create() throws {
        try Data().write(to: url)
        file = try LineFile(url)
        try WholeFile.synchronize(url.deletingLastPathComponent())
    }
}
