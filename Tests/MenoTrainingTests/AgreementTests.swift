import Foundation
import Logging
import MenoData
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// What one process meets, all act upon.
@Suite(.drawsRandomNumbers) struct AgreementTests {
    private func together<Value: Sendable>(
        _ size: Int, _ body: @escaping @Sendable (ProcessGroup) throws -> Value
    ) throws -> [Value] {
        try Ranks.run(size) { rank, port in
            var place = ProcessGroup.Rendezvous(
                host: "127.0.0.1", port: port, hostsStore: rank == 0, address: "127.0.0.1")
            (place.joinTimeout, place.timeout) = (20, 20)
            let group = try ProcessGroup(rank: rank, size: size, at: place)
            let value = try body(group)
            try group.barrier()
            return value
        }
    }

    /// The name of what a piece of work ended with.
    private static func ending(_ work: () throws -> Int) -> String {
        do {
            return "\(try work())"
        } catch let error as TrainingError {
            return error.code.rawValue
        } catch let error as TorchError {
            return "\(error.code)"
        } catch {
            return "\(type(of: error))"
        }
    }

    @Test func theWorstEndingIsEverybodys() throws {
        struct Other: Error {}
        let memory = TorchError(.outOfMemory, at: "test", "none")
        let notFinite = TrainingError(.notFinite, "NaN")
        let cases: [([any Error], [String])] = [
            ([], ["0", "1"]),
            ([notFinite], ["notFinite", "notFinite"]),
            ([memory], ["outOfMemory", "OutOfMemoryElsewhere"]),
            ([memory, notFinite], ["outOfMemory", "OutOfMemoryElsewhere"]),
            ([TrainingError(.interrupted, "now"), memory], ["interrupted", "interrupted"]),
            ([Other(), memory], ["Other", "failedElsewhere"]),
        ]
        for (errors, expected) in cases {
            let endings = try together(2) { group in
                Self.ending {
                    try Agreement(group).together {
                        if group.rank < errors.count { throw errors[group.rank] }
                        return group.rank
                    }
                }
            }
            #expect(endings == expected)
        }
    }

    @Test func oneAloneKeepsItsErrors() throws {
        let alone = Agreement(ProcessGroup())
        #expect(try alone.any(true) && !alone.any(false))
        #expect(try alone.together { 3 } == 3)
        let error = TorchError(.outOfMemory, at: "test", "none")
        let thrown = #expect(throws: TorchError.self) { try alone.together { throw error } }
        #expect(thrown?.message == error.message)
    }

    /// Fails in one pass of one process.
    private final class Failing: Objective {
        private let supervised = SupervisedObjective()
        private let fault: (_ pass: Int) -> (any Error)?
        private var passes = 0

        init(_ fault: @escaping (Int) -> (any Error)?) { self.fault = fault }

        func weight(of pass: Pass) -> Int { supervised.weight(of: pass) }

        func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss {
            passes += 1
            if let error = fault(passes) { throw error }
            return try supervised.loss(of: pass, in: step, by: model)
        }

        func evaluate(_ part: PassPlan.Part, of examples: [Example], by model: Decoder) throws -> [Evaluation.Row] {
            try supervised.evaluate(part, of: examples, by: model)
        }
    }

    /// Trains the same on two ranks, of which the second one meets something.
    private func train(
        stopAfter steps: Int = .max, tokens: Int = 12, _ fault: @escaping @Sendable (_ pass: Int) -> (any Error)?
    ) throws -> [(outcome: RunOutcome, events: [RunEvent])] {
        try together(2) { group in
            let events = Recorder()
            var arguments = TrainingArguments()
            (arguments.maxSteps, arguments.batchSize, arguments.gradientAccumulationSteps) = (4, 2, 2)
            (arguments.evaluationStrategy, arguments.saveStrategy) = (.no, .no)
            // Of the four examples of a step, or of two each.
            arguments.tokensPerPass = tokens
            let isSecond = group.rank == 1
            let loop = try TrainingLoop(
                model: TinyRun.model(), training: TinyRun.examples(10), evaluation: [], arguments: arguments,
                objective: Failing { isSecond ? fault($0) : nil }, observers: [events], policies: [], stages: [],
                saving: nil, processes: group, logger: Logger(label: "test"),
                shouldStop: { isSecond && events.steps.count >= steps })
            return (try loop.run(model: "tiny"), events.all)
        }
    }

    @Test func aStepThatOneCannotComputeAllSkip() throws {
        let runs = try train { $0 == 3 ? TrainingError(.notFinite, "NaN") : nil }
        for (outcome, events) in runs {
            #expect(outcome.reason == .completed)
            let skipped = events.compactMap { if case .stepSkipped(let step, _, _) = $0 { step } else { nil } }
            let steps = events.compactMap { if case .step(let metrics) = $0 { metrics.step } else { nil } }
            #expect(skipped == [2] && steps == [1, 3, 4])
        }
    }

    @Test func memoryThatOneLacksLetsAllRepeatTheStep() throws {
        let runs = try train(tokens: 24) { $0 == 2 ? TorchError(.outOfMemory, at: "test", "none") : nil }
        let losses = runs.map { run in
            run.events.compactMap { if case .step(let metrics) = $0 { metrics.loss } else { nil } }
        }
        #expect(losses[0].count == 4)
        for (a, b) in zip(losses[0], losses[1]) { #expect(abs(a - b) < 1e-6 * a) }
        // Only the one that lacks memory computes smaller passes.
        let warnings = runs.map { run in
            run.events.count { if case .warning(let text) = $0 { text.contains("out of memory") } else { false } }
        }
        #expect(warnings == [0, 1])
    }

    @Test func whenOneIsToStopAllDo() throws {
        for (outcome, _) in try train(stopAfter: 2, { _ in nil }) {
            #expect(outcome.reason == .interrupted && outcome.step == 2)
        }
    }
}
