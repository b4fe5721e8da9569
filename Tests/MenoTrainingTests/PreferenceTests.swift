import Foundation
import MenoData
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoTraining

/// Objectives of preferences against TRL's trainers (Tests/Reference/make_preferences.py): twenty steps of each loss on a tiny
/// model in float32.
@Suite struct PreferenceTests {
    /// What TRL measured in a run.
    struct Reference: Decodable {
        var steps: [[String: Double]]
        var evaluation: [String: Double]
        var squares: [String: Double]
    }

    /// How a run of the reference is made here.
    struct Kind: Sendable, CustomTestStringConvertible {
        var name: String
        var options = ObjectiveOptions()
        /// What is trained, and from what.
        var start = Start.given
        var testDescription: String { name }

        enum Start { case given, new, full }

        init(
            _ name: String, _ kind: ObjectiveOptions.Kind, start: Start = .given,
            _ change: (inout ObjectiveOptions) -> Void = { _ in }
        ) {
            self.name = name
            self.start = start
            options.kind = kind
            change(&options)
        }

        /// A loss of dpo by its name.
        init(_ name: String, beta: Double = 0.1, labelSmoothing: Double = 0) {
            self.init(name, .dpo) {
                ($0.lossTypes, $0.beta, $0.labelSmoothing) = ([name], beta, labelSmoothing)
            }
        }
    }

    static let kinds = [
        Kind("sigmoid", beta: 0.5), Kind("sigmoid-new", .dpo, start: .new) { $0.beta = 0.5 },
        Kind("sigmoid-full", .dpo, start: .full) { $0.beta = 0.5 },
        Kind("hinge", beta: 0.5), Kind("ipo", .ipo) { $0.beta = 0.2 }, Kind("robust", labelSmoothing: 0.1),
        Kind("exo_pair", labelSmoothing: 1e-3), Kind("nca_pair"), Kind("sft"), Kind("bco_pair"), Kind("sppo_hard"),
        Kind("apo_zero"), Kind("apo_down"), Kind("sigmoid_norm", beta: 1),
        Kind("sigmoid-sft", .dpo) {
            ($0.lossTypes, $0.lossWeights, $0.beta) = (["sigmoid", "sft"], [0.8, 0.3], 0.3)
        },
        Kind("kto", .kto) { ($0.beta, $0.desirableWeight, $0.undesirableWeight) = (0.3, 1.2, 0.8) },
        Kind("apo_zero_unpaired", .kto) { ($0.lossTypes, $0.beta) = (["apo_zero_unpaired"], 0.3) },
        Kind("orpo", .orpo) { $0.beta = 0.4 }, Kind("cpo", .cpo) { $0.labelSmoothing = 0.1 },
        Kind("cpo-hinge", .cpo) { $0.lossTypes = ["hinge"] },
        Kind("cpo-ipo", .cpo) { ($0.lossTypes, $0.cpoAlpha) = (["ipo"], 0.5) },
        Kind("simpo", .simpo) { ($0.beta, $0.simpoGamma) = (2, 1) },
        Kind("alphapo", .simpo) { ($0.beta, $0.alpha) = (2, 0.25) },
    ]

    @Test(arguments: kinds) func stepsAreThoseOfTRL(_ kind: Kind) throws {
        try compare(kind, tokens: 4096, sharing: true)
    }

    /// Passes of any size, with beginnings in common or not: all of it is the same to a step.
    @Test(arguments: kinds.filter { ["sigmoid-sft", "kto", "orpo"].contains($0.name) })
    func smallPassesWithoutCommonBeginningsAreTheSame(_ kind: Kind) throws {
        try compare(kind, tokens: 60, sharing: false)
    }

    private func compare(_ kind: Kind, tokens: Int, sharing: Bool) throws {
        let reference = try #require(try Self.references()[kind.name])
        let examples = try Self.examples(of: kind)
        let (model, objective) = try Self.run(kind, examples)
        var options = OptimizerOptions()
        options.weightDecay = 0
        let step = try OptimizerStep(model: model, objective: objective.objective, options: options, maxGradientNorm: 1)
        for (index, expected) in reference.steps.enumerated() {
            let chosen = (0..<2).map { objective.examples[(2 * index + $0) % examples.count] }
            let passes = objective.objective.arrangements.flatMap {
                PassPlan(chosen, as: $0, tokens: tokens, sharing: sharing).parts.map(\.pass)
            }
            let result = try step.run(passes, learningRate: 1e-3)
            var measured = ["loss": result.loss, "grad_norm": result.gradientNorm]
            for (metric, value) in try #require(result.objective).values { measured[metric.rawValue] = value }
            Self.compare(measured, with: expected, "step \(index + 1)")
        }
        let evaluation = try Evaluator(model, objective: objective.objective, tokensPerPass: tokens)
            .evaluate(objective.examples)
        var measured = ["loss": evaluation.loss]
        for (metric, value) in try #require(evaluation.summary).metrics.values { measured[metric.rawValue] = value }
        // TRL estimates the divergence of an evaluation batch by batch of training, and not over all of it.
        if kind.name != "kto" { Self.compare(measured, with: reference.evaluation, "evaluation") }
        for (part, expected) in reference.squares where expected > 0 {
            let parameters = model.trainedParameters.filter { $0.name.contains(part) }
            let sum = try parameters.reduce(0.0) { sum, parameter in
                let values: [Float] = try parameter.tensor.detached().array()
                return sum + values.reduce(0.0) { $0 + Double($1) * Double($1) }
            }
            #expect(abs(sum - expected) < 1e-5 * max(1, expected), "\(part): \(sum), TRL \(expected)")
        }
    }

    private static func compare(_ measured: [String: Double], with expected: [String: Double], _ place: String) {
        for (name, value) in expected {
            guard let own = measured[name] else {
                Issue.record("\(place): \(name) is missing")
                continue
            }
            #expect(abs(own - value) <= 1e-5 * max(1, abs(value)), "\(place), \(name): \(own), TRL \(value)")
        }
    }

    static func references() throws -> [String: Reference] {
        try JSONDecoder().decode(
            [String: Reference].self, from: Data(contentsOf: Fixtures.url("preferences/results.json")))
    }

    static func examples(of kind: Kind) throws -> [Example] {
        let file = Fixtures.url("preferences/\(kind.options.kind == .kto ? "judged" : "pairs").jsonl")
        let tiny = try TinyModel()
        defer { withExtendedLifetime(tiny) {} }
        var builder = ExampleBuilder(
            tokenizer: try Tokenizer.load(tiny.model), template: nil, maxLength: 128, invalidPolicy: .stop)
        builder.unit = kind.options.kind == .kto ? .judged : .pairs
        let prepared = try ExamplePreparation(decoder: RecordDecoder(format: .auto), builder: builder)
            .examples(of: SourceFile(file).records())
        _ = try prepared.report(builder, path: file.path)
        return try prepared.examples.beginning(prepared.examples.count)
    }

    /// A model at its start, the objective and the examples with what the objective needs of them.
    private static func run(
        _ kind: Kind, _ examples: [Example]
    ) throws -> (Decoder, (objective: any Objective, examples: [Example])) {
        let folder = Fixtures.url("models/gemma3-tiny")
        let model = try ModelFiles(folder).load(dtype: .float32)
        var reference = ReferenceModel.none
        var examples = examples
        if kind.start == .full {
            try model.trainAllParameters()
            let scores = try ReferenceScoring(model, arePairs: true).scores(
                of: examples, onProgress: { _ in true }, onShortage: { _ in })
            for index in examples.indices { examples[index].preference?.reference = scores[index] }
        } else {
            try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
            if kind.start == .new {
                try withoutGradient {
                    for (_, adapter) in model.adapters {
                        try adapter.up.tensor.copy_(Tensor.zeros(adapter.up.tensor.shape))
                    }
                }
            }
            reference = .adapters(kind.start == .new ? model.withoutAdapters : try model.adapterSnapshot())
        }
        return (model, (try kind.options.objective(labelSmoothing: 0, reference: reference), examples))
    }
}
