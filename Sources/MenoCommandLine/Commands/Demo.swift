import ArgumentParser
import Foundation
import Meno
import MenoConfiguration
import MenoMetrics
import MenoModels
import MenoMonitor
import MenoTokenizers
import MenoTraining

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fine-tunes a small model on bundled Socratic dialogues and shows what changed.",
        discussion: "Run again, it trains from scratch and replaces the earlier demo's checkpoints, adapter and report."
    )

    @Option(help: "gemma-3-270m or smollm2-135m.") var model: String?
    @Option(name: .customLong("set"), help: ArgumentHelp("Overrides a key.", valueName: "key.path=value"))
    var overrides: [String] = []
    @Option(help: "Export the result too: safetensors, gguf:Q8_0 (or another type), gguf-lora, ollama:Q8_0.")
    var export: String?

    private static let questions = Array(ProbeQuestions.japanese.prefix(3))

    func run() throws {
        try reportingErrors {
            guard let root = Installation.root else {
                throw ConfigurationError(
                    .notFound, at: "Examples/demo.yaml", "the checkout that holds it was not found.",
                    advice: "Run `./meno demo` there, or set MENO_ROOT to it.")
            }
            let named =
                (model.map { ["model.name_or_path=\($0)"] } ?? [])
                + (export.map { ["training.export_at_end=[\($0)]"] } ?? [])
            var configuration = try RunConfiguration.read(
                root.appending(path: "Examples/demo.yaml"), overrides: named + overrides)
            // The file's paths are relative to the checkout; the run goes where the user stands.
            if !configuration.data.path.hasPrefix("/") {
                configuration.data.path = root.appending(path: configuration.data.path).path
            }
            try tellWhatIsReplaced(RunLayout(URL(filePath: configuration.baseOutputDirectory)))
            try CatalogModel.all.first { $0.name == configuration.model.nameOrPath }?.fetch()
            try run(configuration)
        }
    }

    /// Says before anything is done that an earlier run is replaced.
    private func tellWhatIsReplaced(_ run: RunLayout) throws {
        let newest = CheckpointStore(run.model).progress
        let adapter = run.model.appending(path: LoRAFiles.weightsName)
        guard newest != nil || FileManager.default.fileExists(atPath: adapter.path) else { return }
        let steps = newest.map { " (step \($0.step)\($0.total.map { " of \($0)" } ?? ""))" } ?? ""
        Console.note(
            "\(run.base.relativePath) holds an earlier run\(steps). The demo trains again from scratch and replaces its "
                + "checkpoints, its adapter and its report; --set base_output_dir=FOLDER keeps them.")
        if Consent.ask("Replace it?") == .no { throw ExitCode.success }
    }

    private func run(_ configuration: RunConfiguration) throws {
        Interruption.outliveReaders()
        let session = try TrainingSession(
            configuration, overwrites: true, log: ConsoleLog(), shouldStop: { Interruption.isRequested })
        let before = try answers(session)
        let evaluations = EvaluationCollector()
        Interruption.install()
        guard try session.run(observers: [evaluations]).reason != .interrupted else {
            ConsoleLog().note("resume it with `meno train … --resume auto`")
            throw ExitCode(Status.interrupted)
        }
        let after = try answers(session)
        for (index, question) in Self.questions.enumerated() {
            print("\nQ       \(question)")
            print("before  \(shown(before[index]))")
            print("after   \(shown(after[index]))")
        }
        if let first = evaluations.all.first, let last = evaluations.all.last {
            let values = [first.perplexity, last.perplexity].map { String(format: "%.2f", $0) }
            print("\nheld-out perplexity  \(values[0]) before, \(values[1]) after (\(last.samples) dialogues)")
        }
        let run = RunLayout(URL(filePath: configuration.baseOutputDirectory))
        print("the adapter          \(run.model.relativePath)")
        print("the report           \(run.report.relativePath)")
        print(
            "talk with it         ./meno chat --model \(configuration.model.nameOrPath) --adapter \(run.model.relativePath)"
        )
        if export == nil {
            print(
                "take it along        ./meno export --model \(configuration.model.nameOrPath) --adapter "
                    + "\(run.model.relativePath) --format gguf --quantize Q8_0 --to \(run.base.relativePath)/model.gguf"
            )
        } else {
            print("the export           \(run.base.appending(path: "exports").relativePath)")
        }
    }

    private func answers(_ session: TrainingSession) throws -> [String] {
        let template = try session.template ?? ChatTemplate.named("auto", for: session.model.tokenizer)
        return try Self.questions.map {
            try session.model.answer(
                [ChatMessage(.user, $0)], template: template, sampling: .greedy, maxNewTokens: 80
            ).text
        }
    }

    private func shown(_ answer: String) -> String {
        let line = answer.split(separator: "\n").joined(separator: " ⏎ ")
        return line.isEmpty ? "(nothing)" : line
    }
}

/// Keeps the evaluations of a run.
private final class EvaluationCollector: RunObserver {
    private(set) var all: [EvaluationMetrics] = []

    func observe(_ event: RunEvent) {
        if case .evaluated(let metrics) = event { all.append(metrics) }
    }
}
