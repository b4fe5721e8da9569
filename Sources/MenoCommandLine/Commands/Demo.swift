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
        discussion:
            "If you run it again, it trains from scratch and replaces the checkpoints, adapter and report of the earlier demo."
    )

    @Option(help: "A name (gemma-3-270m, smollm2-135m), a folder, a .gguf file or a Hugging Face id.") var model:
        String?
    @Option(
        name: .customLong("set"), help: ArgumentHelp("Overrides a key. Can be repeated.", valueName: "key.path=value"))
    var overrides: [String] = []
    @Flag(
        help:
            "Also train on pairs of answers, with DPO: the model learns to ask a guiding question instead of giving the answer."
    )
    var preferences = false
    @Option(help: "Also export the result: safetensors, gguf:Q8_0 (or another type), gguf-lora or ollama:Q8_0.")
    var export: String?

    private static let questions = Array(ProbeQuestions.japanese.prefix(3))

    func run() throws {
        try reportingErrors {
            guard let root = Installation.root else {
                throw ConfigurationError(
                    .notFound, at: "Examples/demo.yaml", "was not found.",
                    advice: "Set MENO_ROOT to the folder that holds Examples: a checkout, or share/meno of a release.")
            }
            let model = try self.model ?? replacement(root)
            let named =
                (model.map { ["model.name_or_path=\($0)"] } ?? [])
                + (export.map { ["training.export_at_end=[\($0)]"] } ?? [])
            let configuration = try read("demo.yaml", in: root, named + overrides)
            try tellWhatIsReplaced(RunLayout(URL(filePath: configuration.baseOutputDirectory)))
            try CatalogModel.all.first { $0.name == configuration.model.nameOrPath }?.fetch()
            let shares = try run(configuration)
            guard preferences else { return }
            var second = try read("preferences.yaml", in: root, model.map { ["model.name_or_path=\($0)"] } ?? [])
            second.lora?.initialAdapter = RunLayout(URL(filePath: configuration.baseOutputDirectory)).model.path
            second.model = configuration.model
            if !overrides.isEmpty { second.baseOutputDirectory = configuration.baseOutputDirectory + "-preferences" }
            try DemoOfPreferences(questions: Self.probes).run(second, before: shares)
        }
    }

    /// A release has no account for gated models on the Hub, so it falls back to one that anybody can download.
    private func replacement(_ root: URL) throws -> String? {
        guard Installation.fetchScript == nil else { return nil }
        let chosen = try read("demo.yaml", in: root, overrides).model.nameOrPath
        guard let model = CatalogModel.all.first(where: { $0.name == chosen }), !model.isFetched, model.isGated,
            let other = CatalogModel.all.first(where: { !$0.isGated })
        else { return nil }
        Console.note(
            "\(model.name) is not downloaded, and the Hub requires an account for it: using \(other.name) instead. "
                + "--model chooses another.")
        return other.name
    }

    private func read(_ name: String, in root: URL, _ overrides: [String]) throws -> RunConfiguration {
        var configuration = try RunConfiguration.read(
            root.appending(path: "Examples").appending(path: name), overrides: overrides)
        // Paths in the file are relative to the checkout, but the run is written to the current folder.
        if !configuration.data.path.hasPrefix("/") {
            configuration.data.path = root.appending(path: configuration.data.path).path
        }
        return configuration
    }

    /// Questions for measuring how many answers ask back.
    private static let probes =
        ProbeQuestions.japanese + ProbeQuestions.english + [
            "部下に厳しくするべきですか？", "才能と努力、どちらが大切ですか？", "眠れない夜はどうすればいいですか？",
            "嫌いな人とも付き合うべきでしょうか。", "歴史を学ぶ意味は何ですか？", "成功とは何でしょうか。", "ペットを飼うべきか迷っています。",
            "人はなぜ働くのですか？", "Should I move to another city?", "What makes a good teacher?",
            "I cannot make up my mind.", "Is ambition a good thing?",
        ]

    /// Announces that an earlier run will be replaced, before anything is done.
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

    /// - Returns: with `--preferences`, the share of answers that ask back, before and after.
    private func run(_ configuration: RunConfiguration) throws -> [Double] {
        Interruption.outliveReaders()
        let session = try TrainingSession(
            configuration, overwrites: true, log: ConsoleLog(), shouldStop: { Interruption.isRequested })
        let before = try answers(session)
        let probing = DemoOfPreferences(questions: Self.probes)
        var shares = preferences ? [try probing.askingShare(session)] : []
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
            "talk with it         \(Installation.command) chat --model \(configuration.model.nameOrPath) --adapter \(run.model.relativePath)"
        )
        if export == nil {
            print(
                "export it            \(Installation.command) export --model \(configuration.model.nameOrPath) --adapter "
                    + "\(run.model.relativePath) --format gguf --quantize Q8_0 --to \(run.base.relativePath)/model.gguf"
            )
        } else {
            print("the export           \(run.base.appending(path: "exports").relativePath)")
        }
        if preferences { shares.append(try probing.askingShare(session)) }
        return shares
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

/// Collects the evaluations of a run.
final class EvaluationCollector: RunObserver {
    private(set) var all: [EvaluationMetrics] = []

    func observe(_ event: RunEvent) {
        if case .evaluated(let metrics) = event { all.append(metrics) }
    }
}
