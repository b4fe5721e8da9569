import Foundation
import MenoConfiguration

/// A run proposed to a new user, and its commented configuration file.
struct RunProposal {
    enum Method: String, CaseIterable {
        case lora, qlora, full, dpo, orpo, kto

        var meaning: String {
            switch self {
            case .lora: "trains a small adapter; the usual choice"
            case .qlora: "an adapter on 4-bit weights: a quarter of the memory"
            case .full: "trains every weight: much more memory"
            case .dpo: "prefers chosen answers to rejected ones"
            case .orpo: "learns and prefers in one run, without a reference model"
            case .kto: "learns from single answers judged good or bad"
            }
        }

        var isOfPreferences: Bool { [.dpo, .orpo, .kto].contains(self) }

        static func proposed(_ model: ModelLook, _ data: DataLook) -> Method {
            switch data.kind {
            case .pairs: .dpo
            case .judged: .kto
            default: !model.fitsUnquantized && model.isFolder ? .qlora : .lora
            }
        }

        /// Why the method cannot be used here; `nil` if it can.
        func objection(_ model: ModelLook, _ data: DataLook) -> String? {
            switch self {
            case .dpo, .orpo: data.kind == .pairs ? nil : "\(rawValue) needs pairs of a chosen and a rejected answer"
            case .kto:
                [.pairs, .judged].contains(data.kind) ? nil : "kto needs answers judged good or bad (\"label\": true)"
            case .full:
                model.parameters == nil || model.isFolder ? nil : "the weights of a .gguf file cannot be trained"
            case .qlora:
                model.parameters == nil || model.isFolder ? nil : "a .gguf file is already quantised: use lora"
            case .lora: nil
            }
        }
    }

    var model: ModelLook
    var data: DataLook
    var dataPath: String
    var method: Method
    var epochs: Double
    var output: String

    /// Examples per optimizer step.
    private var batch: Int { data.used < 60 ? 4 : 8 }
    private var holdsOut: Bool { data.used >= 10 }
    private var trainFraction: Double { holdsOut ? 0.9 : 1 }

    /// The proposed `max_length`: the longest example if that is cheap, or else the 90th percentile plus a quarter,
    /// limited to the model's context and rounded to a multiple of 64.
    var maxLength: Int {
        let rounded = { (tokens: Int) in (tokens + 63) / 64 * 64 }
        let longest = rounded(data.tokens.longest)
        let wanted = longest <= 512 ? longest : max(512, rounded(data.tokens.ninetieth * 5 / 4))
        return max(64, min(wanted, longest, model.context ?? 2048, 2048))
    }

    /// Enough epochs for some hundred steps, but at most five.
    static func proposedEpochs(_ data: DataLook, _ method: Method) -> Double {
        let steps = max(1, Double(data.used) * 0.9 / 8)
        let most: Double = method.isOfPreferences ? 3 : 5
        return max(1, min(most, (300 / steps).rounded()))
    }

    /// Optimizer steps in the whole run.
    var steps: Int {
        let examples = (Double(data.used) * trainFraction).rounded(.down)
        return max(1, Int((examples / Double(batch)).rounded(.up) * epochs))
    }

    private var learningRate: String {
        let isSmall = (model.parameters ?? 1_000_000_000) < 700_000_000
        return switch method {
        case .lora, .qlora: isSmall ? "5.0e-4" : "2.0e-4"
        case .full: isSmall ? "5.0e-5" : "2.0e-5"
        case .dpo, .kto: isSmall ? "5.0e-5" : "1.0e-5"
        case .orpo: isSmall ? "1.0e-4" : "2.0e-5"
        }
    }

    /// The text of the configuration file.
    var yaml: String {
        let number = epochs == epochs.rounded() ? "\(Int(epochs))" : "\(epochs)"
        let lossOn = data.kind == .texts ? "all" : "completions"
        let estimated = data.areTokensEstimated ? ", estimated" : ""
        let cut = data.tokens.longest > maxLength ? "longer ones are cut" : "no example is longer"
        let quantized =
            method == .qlora
            ? "  load_in_4bit: true            # 4-bit weights; the adapter itself is not quantised\n" : ""
        let lora =
            method == .full
            ? "lora: null                      # all weights are trained\n"
            : """
            lora:
              r: 8                          # the rank: a higher rank can learn more and takes more memory
              lora_alpha: 16                # the scale of the adapter, usually twice the rank
              lora_dropout: 0.05
              target_modules: all-linear    # or names: [q_proj, v_proj]

            """
        let objective =
            method.isOfPreferences
            ? "  objective: \(method.rawValue)\n  beta: 0.1                     # higher: closer to the reference (orpo: more weight on preferences)\n"
            : ""
        let evaluation =
            holdsOut
            ? """
              eval_strategy: epoch          # the held-out examples are evaluated after each epoch
              eval_on_start: true           # and before the first step, for comparison
              save_strategy: epoch          # checkpoints to resume from: meno train \(file) --resume auto
              save_total_limit: 3           # the best and the newest are always kept
              load_best_model_at_end: true

            """
            : """
              eval_strategy: "no"           # there is too little data to hold any out
              save_strategy: epoch          # checkpoints to resume from: meno train \(file) --resume auto
              save_total_limit: 3
              load_best_model_at_end: false

            """
        let text = """
            # Written by `meno init`. `meno keys` describes every key, `meno plan \(file)` forecasts memory and time,
            # and `meno train \(file)` trains.
            base_output_dir: \(Self.text(output))

            model:                          # \(model.text)
              name_or_path: \(Self.text(model.name))
            \(quantized)
            data:                           # \(data.summary)
              path: \(Self.text(dataPath))
              max_length: \(maxLength) # tokens; examples have \(data.tokens.shortest) to \(data.tokens.longest)\(estimated), and \(cut)
              train_fraction: \(trainFraction) # the rest is held out for evaluation
              max_eval_samples: 50
              loss_on: \(lossOn) # completions: loss on the answers; all: on every token

            \(lora)
            training:                       # \(steps) steps
            \(objective)  num_train_epochs: \(number) # passes over the data
              learning_rate: \(learningRate) # lower it if the loss jumps or rises
              lr_scheduler_type: cosine
              warmup_ratio: 0.1
              per_device_train_batch_size: \(min(batch, 4)) # this times the next is the number of examples in a step
              gradient_accumulation_steps: \(max(1, batch / 4))
            \(evaluation)  logging_steps: \(max(1, min(10, steps / 20)))
              report_to: []                 # tensorboard, mlflow; report.html is always written

            monitor:                        # warns about problems; `meno report` shows them
              on_alert: log                 # or stop, to end the run with a checkpoint
              probes:
                max_new_tokens: 64          # after each evaluation, the model answers some questions

            """
        return Self.aligned(text.replacing("\n\n\n", with: "\n\n"))
    }

    /// The file's name, for its comments.
    var file = "run.yaml"

    /// The lines with their comments aligned.
    private static func aligned(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard !line.hasPrefix("#"), let mark = line.firstRange(of: " # ") else { return String(line) }
            let value = String(line[..<mark.lowerBound]).replacing(#/ +$/#, with: "")
            let space = String(repeating: " ", count: max(1, 33 - value.count))
            return value + space + line[line.index(after: mark.lowerBound)...]
        }.joined(separator: "\n")
    }

    /// A text quoted so that YAML reads it back.
    private static func text(_ text: String) -> String {
        if text.wholeMatch(of: /[A-Za-z_\/][A-Za-z0-9_\/.\-]*/) != nil, Double(text) == nil { return text }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
}
