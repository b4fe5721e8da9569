import Foundation
import MenoMetrics
import Testing

@testable import MenoMonitor

/// Histories that hold too little, or nothing that can be averaged: table of losses → verdicts.
struct EdgeStateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Logged training losses, one in ten steps.
        var train: [Double] = []
        var evaluation: [Double] = []
        var outcome: StableCheckpointVerdict.Outcome?
        var hasStability = false
        var hasBalance = false
    }

    @Test(arguments: [
        Case(testDescription: "nothing", outcome: nil),
        Case(testDescription: "training alone", train: Array(repeating: 1, count: 30), outcome: nil),
        Case(testDescription: "one evaluation", train: [1], evaluation: [1], outcome: .tooFewEvaluations),
        Case(testDescription: "one evaluation before any step", evaluation: [1], outcome: .tooFewEvaluations),
        Case(
            testDescription: "one less than the window", train: Array(repeating: 0.5, count: 4),
            evaluation: Array(repeating: 0.7, count: 4), outcome: .tooFewEvaluations),
        Case(
            testDescription: "the window, no gradient norms", evaluation: Array(repeating: 0.7, count: 5),
            outcome: .conditionsNotMet, hasStability: true),
        Case(
            testDescription: "NaN evaluations count for nothing", train: Array(repeating: 0.5, count: 9),
            evaluation: [0.7, 0.7, .nan, 0.7, .infinity, 0.7], outcome: .tooFewEvaluations),
        Case(
            testDescription: "NaN training losses count for nothing",
            train: [.nan] + Array(repeating: 0.5, count: 9),
            evaluation: Array(repeating: 0.9, count: 10), outcome: .saveStable, hasStability: true),
        Case(
            testDescription: "constant and in balance", train: Array(repeating: 2.5, count: 10),
            evaluation: Array(repeating: 2.7, count: 10), outcome: .saveBalanced, hasStability: true, hasBalance: true),
        Case(
            testDescription: "constant, gap at its upper end", train: Array(repeating: 2.5, count: 10),
            evaluation: Array(repeating: 2.5 + 0.25, count: 10), outcome: .saveBalanced, hasStability: true,
            hasBalance: true),
        Case(
            testDescription: "constant and apart", train: Array(repeating: 2.5, count: 10),
            evaluation: Array(repeating: 3.0, count: 10), outcome: .conditionsNotMet, hasStability: true,
            hasBalance: true),
        Case(
            testDescription: "losses whose perplexity is no number", train: Array(repeating: 1, count: 10),
            evaluation: Array(repeating: 5000, count: 10), outcome: .conditionsNotMet, hasStability: true,
            hasBalance: true),
    ])
    func verdicts(of state: Case) throws {
        var monitor = try Monitor()
        for (index, loss) in state.train.enumerated() { _ = monitor.observe(.step(step(10 * (index + 1), loss: loss))) }
        for (index, loss) in state.evaluation.enumerated() {
            _ = monitor.observe(.evaluated(evaluation(10 * (index + 1), loss)))
        }
        #expect(monitor.lastVerdict?.outcome == state.outcome)
        #expect((monitor.lastVerdict?.stability != nil) == state.hasStability)
        #expect((monitor.lastVerdict?.balance != nil) == state.hasBalance)
        #expect(throws: Never.self) { try JSONEncoder().encode(monitor) }
    }

    /// Steps are missing, as in a log of every hundredth step or of a run that began elsewhere.
    @Test func gapsInStepsAreNoPoints() throws {
        var monitor = try Monitor()
        for step in [3, 4, 250, 1000, 1003] { _ = monitor.observe(.step(MenoMonitorTests.step(step, loss: 1))) }
        _ = monitor.observe(.finished(RunOutcome(reason: .completed, step: 1003, seconds: 1)))
        #expect(monitor.history.trainLoss.steps == [250, 1000, 1003])
        #expect(monitor.alerts.isEmpty)
    }

    @Test func aSecondEvaluationOfTheSameStepReplacesTheFirst() throws {
        var monitor = try Monitor()
        for loss in [2.0, 1, 1] { _ = monitor.observe(.evaluated(evaluation(20, loss))) }
        #expect(monitor.history.evaluationLoss.points == [Point(step: 20, value: 1)])
        #expect(monitor.history.steps == [20])
    }

    @Test func stepsOutOfOrderAreListedInOrderOnce() {
        var history = History()
        for step in [20, 5, 20, 10, 5, 30] { history.add(evaluation(step, 1)) }
        #expect(history.steps == [5, 10, 20, 30])
    }
}
