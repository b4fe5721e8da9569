import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoMonitor

struct StableCheckpointPolicyTests {
    private struct Expected: Decodable {
        var outcomes: [String]
        var removed: [Int]
        var kept: [Int]
    }

    /// The monitor's outcomes over a run that the Python reference simulated, too.
    private func simulate(seed: Int) throws -> (outcomes: [String], removed: [Int], kept: [Int]) {
        var generator = SeededGenerator(seed: UInt64(10_000 + seed))
        var configuration = MonitorConfiguration()
        configuration.windowSize = 1 + generator.below(5)
        configuration.varianceBiasWindow = 2 + generator.below(8)
        configuration.minStepsBetweenCheckpoints = 20 * generator.below(6)
        configuration.perplexityThreshold = 2 + generator.uniform() * 6
        configuration.evaluationLossDeviationThreshold = 0.02 + generator.uniform() * 0.2
        configuration.gradientNormBounds = 0.2...(1 + generator.uniform())
        configuration.maxStableCheckpoints = 1 + generator.below(5)
        configuration.maxConsecutiveErrors = 1 + generator.below(3)
        let failing = [0.0, 0.1, 0.6][generator.below(3)]
        let floor = 0.8 + generator.uniform()
        let noise = generator.uniform() * 0.2
        let gap = generator.uniform() * 0.4
        var monitor = try Monitor(configuration: configuration)
        var outcomes: [String] = []
        var removed: [Int] = []
        for index in 0..<30 {
            for log in 0..<2 {
                let trend = floor + 2 / (1 + Double(index) + Double(log) / 2)
                let loss = trend + noise * (generator.uniform() - 0.5)
                _ = monitor.observe(
                    .step(
                        step(
                            20 * index + 10 * (log + 1), loss: loss, gradientNorm: generator.uniform() * 1.6, labels: 1)
                    ))
            }
            let now = 20 * (index + 1)
            let loss = floor + gap + 2 / (1 + Double(index)) + noise * (generator.uniform() - 0.5)
            let decisions = monitor.observe(.evaluated(evaluation(now, loss)))
            let verdict = try #require(monitor.lastVerdict)
            outcomes.append(verdict.outcome.rawValue)
            guard decisions.contains(.saveStableCheckpoint(verdict)) else {
                #expect(decisions.contains(.declinedStableCheckpoint(verdict)))
                continue
            }
            if generator.uniform() < failing {
                _ = monitor.observe(.checkpointFailed(kind: .stable, step: now, reason: "no space"))
            } else {
                let record = CheckpointRecord(step: now, kind: .stable, path: "stable_checkpoint-\(now)", seconds: 1)
                removed += monitor.observe(.checkpointSaved(record)).compactMap {
                    guard case .removeStableCheckpoint(let step, let path) = $0 else { return nil }
                    #expect(path == "stable_checkpoint-\(step)")
                    return step
                }
            }
        }
        return (outcomes, removed, monitor.policy.checkpoints.map(\.step).sorted())
    }

    @Test func twoHundredRunsDecideAsTheReference() throws {
        let expected = try JSONDecoder().decode(
            [Expected].self, from: Data(contentsOf: Fixtures.url("monitor/policy.json")))
        #expect(expected.count == 200)
        for (seed, expected) in expected.enumerated() {
            let ours = try simulate(seed: seed)
            #expect(ours.outcomes == expected.outcomes, "run \(seed)")
            #expect(ours.removed == expected.removed, "run \(seed)")
            #expect(ours.kept == expected.kept, "run \(seed)")
        }
    }

    /// A monitor before an evaluation that the default thresholds find stable.
    private func stable(_ configure: (inout MonitorConfiguration) -> Void = { _ in }) throws -> Monitor {
        var configuration = MonitorConfiguration()
        configure(&configuration)
        var monitor = try Monitor(configuration: configuration)
        for index in 1...4 {
            _ = monitor.observe(.step(step(index * 20, loss: 0.5)))
            _ = monitor.observe(.evaluated(evaluation(index * 20, 0.7)))
        }
        _ = monitor.observe(.step(step(100, loss: 0.5)))
        return monitor
    }

    @Test func savesWhenEveryConditionIsMetAndSaysWhy() throws {
        var monitor = try stable()
        let decisions = monitor.observe(.evaluated(evaluation(100, 0.7)))
        let verdict = try #require(monitor.lastVerdict)
        #expect(decisions == [.saveStableCheckpoint(verdict)])
        #expect(verdict.outcome == .saveStable)
        #expect(verdict.conditions.count == 4 && verdict.conditions.allSatisfy(\.isMet))
        #expect(verdict.explanation.contains("mean perplexity 2.014, allowed below 2.5"))
    }

    struct Unmet: Sendable {
        var name: StableCheckpointVerdict.Condition.Name
        var configure: @Sendable (inout MonitorConfiguration) -> Void
    }

    @Test(arguments: [
        Unmet(name: .perplexity) { $0.perplexityThreshold = 2 },
        Unmet(name: .stepsSinceLast) { $0.minStepsBetweenCheckpoints = 101 },
        Unmet(name: .gradientNorm) { $0.gradientNormBounds = 1.5...2 },
    ])
    func namesTheConditionThatIsNotMet(_ unmet: Unmet) throws {
        var monitor = try stable(unmet.configure)
        _ = monitor.observe(.evaluated(evaluation(100, 0.7)))
        let verdict = try #require(monitor.lastVerdict)
        #expect(verdict.outcome == .conditionsNotMet)
        #expect(verdict.conditions.filter { !$0.isMet }.map(\.name) == [unmet.name])
        #expect(verdict.explanation.hasPrefix("no stable checkpoint after step 100: "))
    }

    @Test func anUnsteadyEvaluationLossIsNamed() throws {
        var monitor = try stable()
        _ = monitor.observe(.evaluated(evaluation(100, 0.2)))
        let verdict = try #require(monitor.lastVerdict)
        #expect(verdict.conditions.filter { !$0.isMet }.map(\.name) == [.evaluationLossDeviation])
    }

    @Test func withoutGradientNormsTheConditionIsNotMet() throws {
        var monitor = try Monitor()
        for index in 1...5 {
            _ = monitor.observe(.step(step(index * 20, loss: 0.5, gradientNorm: .nan)))
            _ = monitor.observe(.evaluated(evaluation(index * 20, 0.7)))
        }
        let verdict = try #require(monitor.lastVerdict)
        #expect(verdict.conditions.filter { !$0.isMet }.map(\.name) == [.gradientNorm])
        #expect(verdict.explanation.contains("not measured"))
    }

    @Test func afterThreeFailuresNoMoreAreTriedAndASuccessCountsFromZero() throws {
        var monitor = try stable { $0.minStepsBetweenCheckpoints = 10 }
        var outcomes: [StableCheckpointVerdict.Outcome] = []
        var notes = 0
        let fails = [true, true, false, true, true, true, false]
        for (index, fails) in fails.enumerated() {
            let now = 100 + 20 * index
            _ = monitor.observe(.evaluated(evaluation(now, 0.7)))
            outcomes.append(try #require(monitor.lastVerdict).outcome)
            guard fails else {
                _ = monitor.observe(
                    .checkpointSaved(CheckpointRecord(step: now, kind: .stable, path: "\(now)", seconds: 1)))
                continue
            }
            for decision in monitor.observe(.checkpointFailed(kind: .stable, step: now, reason: "disk full")) {
                guard case .note(let text) = decision else { continue }
                #expect(text.contains("disk full"))
                notes += 1
            }
            // A failure of another kind is not the stable checkpoint's.
            #expect(monitor.observe(.checkpointFailed(kind: .regular, step: now, reason: "regular")).isEmpty)
        }
        #expect(outcomes == Array(repeating: .saveStable, count: 6) + [.tooManyErrors])
        #expect(notes == 1)
        #expect(monitor.policy.checkpoints.map(\.step) == [140])
    }

    @Test func aSaveThatWasNotAskedForIsNotOurs() throws {
        var monitor = try stable()
        let record = CheckpointRecord(step: 80, kind: .stable, path: "p", seconds: 1)
        #expect(monitor.observe(.checkpointSaved(record)).isEmpty)
        #expect(monitor.policy.checkpoints.isEmpty)
    }

    @Test func missingCheckpointsAreNeitherCountedNorRemoved() throws {
        var monitor = try stable {
            $0.minStepsBetweenCheckpoints = 10
            $0.maxStableCheckpoints = 2
        }
        func save(_ now: Int, _ loss: Double) -> [MonitorDecision] {
            _ = monitor.observe(.evaluated(evaluation(now, loss)))
            return monitor.observe(
                .checkpointSaved(CheckpointRecord(step: now, kind: .stable, path: "s\(now)", seconds: 1)))
        }
        #expect(save(100, 0.71).isEmpty)
        #expect(save(120, 0.70).isEmpty)
        monitor.keepStableCheckpoints(at: ["s120", "other"])
        #expect(save(140, 0.69).isEmpty)
        #expect(save(160, 0.68) == [.removeStableCheckpoint(step: 120, path: "s120")])
        _ = monitor.observe(.checkpointRemoved(CheckpointRecord(step: 140, kind: .stable, path: "s140", seconds: 0)))
        #expect(monitor.policy.checkpoints.map(\.path) == ["s160"])
    }

    @Test func filesHaveTheOriginalKeys() throws {
        var monitor = try stable()
        _ = monitor.observe(.evaluated(evaluation(100, 0.7)))
        _ = monitor.observe(.checkpointSaved(CheckpointRecord(step: 100, kind: .stable, path: "s", seconds: 1)))
        let summary = try object(StableCheckpointsSummary(monitor.policy.checkpoints))
        #expect(Set(summary.keys) == ["total_checkpoints", "checkpoints"])
        let checkpoint = try #require((summary["checkpoints"] as? [[String: Any]])?.first)
        #expect(Set(checkpoint.keys) == ["step", "path", "metrics"])
        let metrics = try #require(checkpoint["metrics"] as? [String: Double])
        #expect(Set(metrics.keys) == ["perplexity_mean", "eval_loss_std", "grad_norm_mean"])

        var last = evaluation(100, 0.7)
        last.tokenAccuracy = .nan
        let record = try object(
            StabilityRecord(
                metrics: monitor.policy.checkpoints[0].metrics, evaluation: last, timestamp: "2026-01-01T00:00:00"))
        #expect(Set(record.keys) == ["step", "metrics", "eval_metrics", "timestamp"])
        let evaluated = try #require(record["eval_metrics"] as? [String: Double])
        #expect(evaluated["eval_loss"] == 0.7)
        #expect(abs(try #require(evaluated["eval_perplexity"]) - exp(0.7)) < 1e-12)
        #expect(evaluated["eval_token_accuracy"] == nil)
    }
}

func object(_ value: some Encodable) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? [String: Any])
}
