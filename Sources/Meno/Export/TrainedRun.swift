internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoExport
internal import MenoMetrics
internal import MenoTokenizers
internal import MenoTraining

/// The run that produced an adapter or a model, if its folder still belongs to a run.
struct TrainedRun {
    let configuration: RunConfiguration
    private let layout: RunLayout
    private let text: String

    /// - Parameter result: `RUN/model`, or a checkpoint in it.
    init?(of result: URL) {
        var folder = result
        for _ in 0..<2 {
            folder = folder.deletingLastPathComponent()
            let layout = RunLayout(folder)
            guard let text = try? String(contentsOf: layout.configuration, encoding: .utf8),
                let configuration = try? RunConfiguration.read(yaml: text, name: layout.configuration.path)
            else { continue }
            self.configuration = configuration
            self.layout = layout
            self.text = text
            return
        }
        return nil
    }

    /// The SHA-256 of the data that was trained on, as the run recorded it.
    var dataHash: String? { text.firstMatch(of: /SHA-256 ([0-9a-f]{64})/).map { String($0.1) } }

    /// A few texts that were held out from training, of the run's own data. What it prepared is used again where it is still in
    /// the cache.
    func heldOut(limit: Int, _ model: TokenizedModel, log: any SessionLog) throws -> [ExportVerification.Sample] {
        var configuration = configuration
        configuration.data.maxEvaluationSamples = limit
        let examples = try TrainingExamples(
            configuration, model, TemplateChoice(configuration.data, model, stored: nil), limits: PreparationLimits(),
            log: ProgressLog(log: log), isCancelled: { Task.isCancelled })
        return examples.sides.current.evaluation.map { .init(ids: $0.ids, labels: $0.labels) }
    }

    /// Passes on how far the data is read, and nothing that the run has said of it before.
    private struct ProgressLog: SessionLog {
        let log: any SessionLog

        func note(_ text: String) {}
        func warn(_ text: String) {}
        func progress(_ text: String) { log.progress(text) }
    }

    // MARK: For the model card

    /// The settings of the run.
    var settings: [(key: String, value: String)] {
        let training = configuration.training
        var settings: [(String, String)] = []
        if let lora = configuration.lora {
            settings += [
                ("lora.r", "\(lora.rank)"), ("lora.lora_alpha", "\(lora.alpha)"),
                ("lora.target_modules", lora.targetModules.joined(separator: ", ")),
                ("lora.use_rslora", "\(lora.usesRankStabilization)"), ("lora.use_dora", "\(lora.usesDoRA)"),
            ]
        }
        settings += [
            (
                "training.num_train_epochs",
                training.maxSteps == nil ? "\(training.epochs)" : "until step \(training.maxSteps ?? 0)"
            ),
            ("examples per step", "\(training.examplesPerStep)"), ("training.optim", "\(training.optimizer.kind)"),
            ("training.lr_scheduler_type", "\(training.schedule.rawValue)"),
            ("training.learning_rate", "\(training.learningRate)"), ("training.seed", "\(configuration.data.seed)"),
            ("data.max_length", "\(configuration.data.maxLength)"),
            ("data.chat_template", configuration.data.chatTemplate),
        ]
        return settings
    }

    private struct EvaluationLine: Decodable {
        var step: Int
        var evalLoss: Double
        var evalPerplexity: Double
        var evalSamples: Int
    }

    /// The results of the last evaluation.
    var metrics: [(name: String, value: String)] {
        guard let text = try? String(contentsOf: layout.metrics, encoding: .utf8) else { return [] }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let last = text.split(separator: "\n").reversed().lazy.compactMap {
            try? decoder.decode(EvaluationLine.self, from: Data($0.utf8))
        }.first
        guard let last else { return [] }
        return [
            ("held-out loss", String(format: "%.4f", last.evalLoss)),
            ("held-out perplexity", String(format: "%.3f", last.evalPerplexity)), ("step", "\(last.step)"),
            ("held-out examples", "\(last.evalSamples)"),
        ]
    }
}
