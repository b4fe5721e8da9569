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

    /// A few texts held out from training.
    func heldOut(limit: Int, _ model: TokenizedModel) throws -> [ExportVerification.Sample] {
        let data = configuration.data
        let examples = try Self.examples(
            URL(filePath: data.path), format: data.format, template: data.chatTemplate, model,
            maxLength: data.maxLength,
            lossOn: data.lossOn)
        let sides = try ExampleSides(
            examples, trainFraction: data.trainFraction, limit: limit, seed: UInt64(data.seed), shuffles: data.shuffle)
        return sides.current.evaluation.map { .init(ids: $0.ids, labels: $0.labels) }
    }

    /// Reads the examples of a file.
    static func examples(
        _ file: URL, format: RecordFormat = .auto, template name: String, _ model: TokenizedModel, maxLength: Int,
        lossOn: LossTarget = .all
    ) throws -> [Example] {
        var (records, report) = try RecordFile.read(file, format: format, onInvalid: .skip)
        let template = try model.template(name, for: records, warnsOfOther: false)
        let examples = try ExampleBuilder(
            tokenizer: model.tokenizer, template: template, maxLength: maxLength, lossTarget: lossOn
        ).examples(from: records, report: &report)
        records.removeAll()
        return examples
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
