import ArgumentParser
import Foundation
import Meno
import MenoMetrics
import MenoMonitor
import MenoReporting

struct MonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Applies the monitor to recorded runs.", subcommands: [ReplayCommand.self])
}

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Applies the monitor to a recorded run of Meno or Hugging Face's Trainer.",
        discussion: "Writes nothing. The exit code is 0 whatever the monitor finds.")

    @Argument(
        help: ArgumentHelp(
            "A run's folder, its events.jsonl or metrics.jsonl, or a trainer_state.json.", valueName: "run"),
        completion: .file())
    var path: String
    @Option(help: "A RUN.yaml whose monitor thresholds replace those of the run.") var config: String?
    @Flag(help: "Print the result as a JSON object to standard output.") var json = false

    func run() throws {
        try reportingErrors {
            let recorded = try RecordedRun(path, configuration: config)
            recorded.warnOfConfiguration(ConsoleLog())
            let replay = try RunRecord.replay(of: recorded.url).replay
            let judgement = try replay.judged(by: recorded.thresholds)
            if json {
                print(try Output(judgement, replay).json)
            } else {
                describe(judgement, replay)
            }
        }
    }

    private struct Output: Encodable {
        var source: String
        var unreadableLines: [Int]
        var summary: RunSummary
        var verdicts: [StableCheckpointVerdict]

        init(_ judgement: Replay.Judgement, _ replay: Replay) {
            source = replay.source.rawValue
            unreadableLines = replay.unreadableLines
            summary = RunSummary(judgement.monitor)
            verdicts = judgement.entries.compactMap { entry in
                switch entry.decision {
                case .saveStableCheckpoint(let verdict), .declinedStableCheckpoint(let verdict): verdict
                default: nil
                }
            }
        }

        var json: String {
            get throws {
                String(
                    decoding: try JSONEncoder.reproducible(isPretty: true, snakeCase: true).encode(self), as: UTF8.self)
            }
        }
    }

    private func describe(_ judgement: Replay.Judgement, _ replay: Replay) {
        for line in replay.unreadableLines { Console.note("line \(line) is not an event and was skipped") }
        for entry in judgement.entries {
            guard let text = text(entry.decision) else { continue }
            print("step \(entry.step)  \(text)")
        }
        let summary = RunSummary(judgement.monitor)
        let loss = summary.finalEvaluationLoss.map { String(format: ", evaluation loss %.4f", $0) } ?? ""
        let stable = summary.stableCheckpoints.checkpoints.map { "\($0.step)" }.joined(separator: ", ")
        print(
            "\(summary.steps) steps\(loss); \(summary.alerts.count) alerts; stable checkpoints: "
                + (stable.isEmpty ? "none" : stable))
    }

    private func text(_ decision: MonitorDecision) -> String? {
        switch decision {
        case .saveStableCheckpoint(let verdict): verdict.explanation
        case .declinedStableCheckpoint: nil
        case .removeStableCheckpoint(let step, _): "the stable checkpoint of step \(step) is removed to make room"
        case .alertBegan(let alert):
            "\(alert.severity.rawValue) since step \(alert.startStep): \(alert.message) \(alert.advice)"
        case .alertEnded(let alert): "ended at step \(alert.endStep ?? alert.detectedStep): \(alert.message)"
        case .note(let text): text
        }
    }
}
