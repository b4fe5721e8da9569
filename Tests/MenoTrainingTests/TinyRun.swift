import Foundation
import MenoData
import MenoMetrics
import MenoModels
import MenoTesting
import MenoTraining

/// Runs of a tiny random model that learns to repeat one sequence.
enum TinyRun {
    static func model() throws -> Decoder {
        let folder = Fixtures.url("models/gemma3-tiny")
        let model = try ModelFiles(folder).load(dtype: .float32)
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        return model
    }

    /// Sequences that count upwards, the second half of each a completion.
    static func examples(_ count: Int) -> [Example] {
        (0..<count).map { index in
            let ids = (0..<12).map { Int32(5 + (index + $0) % 20) }
            return Example(
                ids: ids, labels: [Example.ignoredLabel] + ids.dropFirst(), isCompletion: (0..<12).map { $0 >= 6 },
                place: "line \(index)")
        }
    }

    static func loop(
        model: Decoder? = nil, sides: ExampleSides.Sides? = nil, evaluation: Int = 4, observers: [any RunObserver],
        policies: [any RunPolicy] = [], stages: [any EvaluationStage] = [], saving: RunSaving? = nil,
        stopAfter: (events: Recorder, steps: Int)? = nil,
        _ change: (inout TrainingArguments) -> Void = { _ in }
    ) throws -> TrainingLoop {
        var arguments = TrainingArguments()
        arguments.epochs = 4
        arguments.learningRate = 5e-3
        arguments.batchSize = 2
        arguments.gradientAccumulationSteps = 2
        arguments.evaluationSteps = 5
        arguments.evaluatesOnStart = true
        change(&arguments)
        return try TrainingLoop(
            model: model ?? Self.model(), training: sides?.training ?? Self.examples(10),
            evaluation: sides?.evaluation ?? Self.examples(evaluation),
            arguments: arguments, observers: observers, policies: policies, stages: stages, saving: saving,
            shouldStop: { stopAfter.map { $0.events.steps.count >= $0.steps } ?? false })
    }
}

final class Recorder: RunObserver {
    private(set) var all: [RunEvent] = []
    var steps: [StepMetrics] { all.compactMap { if case .step(let metrics) = $0 { metrics } else { nil } } }
    var evaluations: [EvaluationMetrics] {
        all.compactMap { if case .evaluated(let metrics) = $0 { metrics } else { nil } }
    }

    func observe(_ event: RunEvent) { all.append(event) }
}

struct Broken: RunObserver {
    struct Failure: Error {}
    func observe(_ event: RunEvent) throws { throw Failure() }
}
