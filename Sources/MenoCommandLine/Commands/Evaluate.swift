import ArgumentParser
import Foundation
import Meno
import MenoConfiguration
import MenoData
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTraining

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Computes the loss and perplexity of a model on a data file.")

    @OptionGroup var options: ModelOptions
    @OptionGroup var dialogue: DialogueOptions
    @Option(help: "A file, folder or pattern of records.", completion: .file()) var data: String
    @Option(help: "The maximum number of records, chosen evenly over sources and lengths.") var maxSamples = 100
    @Option(help: "The maximum number of tokens in an example. Longer ones are cut.") var maxLength = 2048
    @Option(help: "Which tokens carry loss: all, completions or last_completion.") var lossOn = LossTarget.all
    @Option(help: "The random seed for choosing records.") var seed: UInt64 = 42
    @Flag(help: "Print the result as JSON.") var json = false
    @Option(
        help: "Also write the first record's logits to this safetensors file, to compare them with another program's.")
    var logits: String?

    func validate() throws {
        guard maxSamples > 0 else { throw ValidationError("--max-samples must be above 0.") }
        guard maxLength > 1 else { throw ValidationError("--max-length must be above 1.") }
    }

    func run() throws {
        try reportingErrors {
            guard try options.dtype != .float16 || options.device.device() != .cpu else {
                throw ConfigurationError(
                    .invalid, at: "--dtype float16", "a model in float16 cannot be evaluated on a CPU.",
                    advice: "Use bfloat16 or float32.")
            }
            try logits.map(requirePlace)
            let evaluation = try evaluationOptions()
            let log = ConsoleLog()
            let sources = try RecordSources([DataSource([data])], seed: 0)
            let model = try options.load()
            let examples = try model.evaluationData(of: sources, evaluation, log: log)
            log.data(examples.report, path: data, template: examples.template)
            if examples.chosen.count < examples.available {
                Console.note("\(examples.chosen.count) of \(examples.available) are used")
            }
            Interruption.install()
            let result = try model.evaluate(examples.chosen, log: log) { Interruption.isRequested }
            try show(result)
            if let logits, let first = examples.chosen.first {
                try write(model.decoder, first, to: URL(filePath: logits))
            }
        }
    }

    private func evaluationOptions() throws -> EvaluationOptions {
        var evaluation = EvaluationOptions()
        evaluation.maxSamples = maxSamples
        evaluation.maxLength = maxLength
        evaluation.lossOn = lossOn
        evaluation.seed = seed
        evaluation.system = dialogue.system
        evaluation.chatTemplate = options.chatTemplate
        evaluation.templateVariables = try dialogue.variables()
        return evaluation
    }

    /// Before anything is computed.
    private func requirePlace(_ file: String) throws {
        let folder = URL(filePath: file).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw ConfigurationError(
                .invalid, at: "--logits \(file)", "cannot be written: \(folder) is not a folder that you can write to.")
        }
    }

    private func write(_ model: Decoder, _ example: Example, to url: URL) throws {
        let logits = try withoutGradient {
            try model.logits(inputIDs: example.ids, layout: SequenceLayout(lengths: [example.ids.count]))
        }
        try NamedValues([("logits", logits)]).write(to: url)
    }

    private struct Output: Encodable {
        struct Row: Encodable {
            var tokens: Int
            var nll: Double
        }
        var loss: Double
        var perplexity: Double
        var tokens: Int
        var samples: Int
        var tokenAccuracy: Double
        var completionLoss: Double?
        var completionPerplexity: Double?
        var rows: [Row]
        var seconds: Double
    }

    private func show(_ result: Evaluation) throws {
        guard json else {
            print("loss            \(String(format: "%.6f", result.loss))")
            print("perplexity      \(String(format: "%.4f", result.perplexity))")
            print("token accuracy  \(String(format: "%.2f", 100 * result.tokenAccuracy)) %")
            if let loss = result.completionLoss {
                print(
                    "completions     loss \(String(format: "%.6f", loss)), perplexity \(String(format: "%.4f", exp(loss)))"
                )
            }
            print("samples         \(result.rows.count), \(result.tokens) tokens")
            print("time            \(String(format: "%.2f", result.seconds)) s")
            return
        }
        let output = Output(
            loss: result.loss, perplexity: result.perplexity, tokens: result.tokens, samples: result.rows.count,
            tokenAccuracy: result.tokenAccuracy, completionLoss: result.completionLoss,
            completionPerplexity: result.completionLoss.map { exp($0) },
            rows: result.rows.map { .init(tokens: $0.tokens, nll: $0.negativeLogLikelihood) }, seconds: result.seconds)
        print(String(decoding: try JSONEncoder.reproducible(snakeCase: true).encode(output), as: UTF8.self))
    }
}
