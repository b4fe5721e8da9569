import Foundation
import MenoTesting
import Testing

@testable import MenoMonitor

/// The formulas against numpy, on histories that both sides draw from the same seeds.
struct FormulaTests {
    private struct Expected: Decodable {
        var stability: [String: Double?]?
        var balance: [String: Double]?
        var ratio: Double?
        var is_balanced: Bool
    }

    private struct Drawn {
        var window: Int
        var balanceWindow: Int
        var train: [Double]
        var evaluation: [Double]
        var norms: [Double]

        init(seed: Int) {
            var generator = SeededGenerator(seed: UInt64(seed))
            window = 1 + generator.below(8)
            balanceWindow = 1 + generator.below(12)
            let counts = (0..<3).map { generator.below([25, 25, 12][$0]) }
            var base = generator.uniform() * 3
            var gap = generator.uniform() * 0.5 - 0.05
            let amplitude = [0.0, 0.05, 0.5, 2.0][generator.below(4)]
            if amplitude == 0 { (base, gap) = ((base * 64).rounded(.down) / 64, (gap * 64).rounded(.down) / 64) }
            train = (0..<counts[0]).map { _ in base + amplitude * (generator.uniform() - 0.5) }
            evaluation = (0..<counts[1]).map { _ in base + gap + amplitude * (generator.uniform() - 0.5) }
            norms = (0..<counts[2]).map { _ in generator.uniform() * 3 }
        }
    }

    @Test func thousandRandomHistories() throws {
        let expected = try JSONDecoder().decode(
            [Expected].self, from: Data(contentsOf: Fixtures.url("monitor/formulas.json")))
        #expect(expected.count == 1000)
        var worst = 0.0
        for (seed, expected) in expected.enumerated() {
            let drawn = Drawn(seed: seed)
            let stability = StabilityMetrics(
                perplexity: drawn.evaluation.map { exp($0) }, evaluationLoss: drawn.evaluation,
                gradientNorm: drawn.norms, windowSize: drawn.window)
            let balance = VarianceBiasMetrics(
                trainLoss: drawn.train, evaluationLoss: drawn.evaluation, window: drawn.balanceWindow)
            #expect((stability == nil) == (expected.stability == nil), "history \(seed)")
            #expect((balance == nil) == (expected.balance == nil), "history \(seed)")
            let state = balance.map { BalancedState($0, configuration: MonitorConfiguration()) }
            #expect((state?.isBalanced ?? false) == expected.is_balanced, "history \(seed)")
            let pairs: [(Double?, Double?)] = [
                (stability?.perplexityMean, expected.stability?["perplexity_mean"] ?? nil),
                (stability?.evaluationLossDeviation, expected.stability?["eval_loss_std"] ?? nil),
                (stability?.gradientNormMean, expected.stability?["grad_norm_mean"] ?? nil),
                (balance?.lossGap, expected.balance?["loss_gap"]),
                (balance?.trainVariance, expected.balance?["train_variance"]),
                (balance?.evaluationVariance, expected.balance?["eval_variance"]),
                (balance?.totalVariance, expected.balance?["total_variance"]), (balance?.varianceRatio, expected.ratio),
            ]
            for (ours, theirs) in pairs {
                #expect((ours == nil) == (theirs == nil), "history \(seed)")
                guard let ours, let theirs else { continue }
                worst = max(worst, abs(ours - theirs) / max(1, abs(theirs)))
            }
        }
        #expect(worst <= 1e-12)
    }

    @Test func constantSeriesHaveNoVarianceAndARatioOfOne() throws {
        // Ten times 1.1 do not sum up to 11 exactly; the variance must be zero all the same.
        let metrics = try #require(
            VarianceBiasMetrics(
                trainLoss: Array(repeating: 1.1, count: 10), evaluationLoss: Array(repeating: 1.3, count: 10),
                window: 10))
        #expect(metrics.trainVariance == 0)
        #expect(metrics.varianceRatio == 1)
        #expect(BalancedState(metrics, configuration: MonitorConfiguration()).isBalanced)
    }

    @Test func oneConstantSeriesIsNotBalanced() throws {
        let metrics = try #require(
            VarianceBiasMetrics(
                trainLoss: Array(repeating: 1, count: 10), evaluationLoss: (0..<10).map { 1.15 + 0.01 * Double($0) },
                window: 10))
        let state = BalancedState(metrics, configuration: MonitorConfiguration())
        #expect(state.hasGoodGap && state.hasSmallVariance && !state.hasBalancedVariance && !state.isBalanced)
    }

    /// Tables of Student's t, one-sided 95 %.
    @Test(arguments: [(2, 2.920), (3, 2.353), (5, 2.015), (10, 1.812), (30, 1.697), (1000, 1.646)])
    func studentQuantiles(degreesOfFreedom: Int, table: Double) {
        let quantile = LinearFit.studentQuantile(0.95, degreesOfFreedom: degreesOfFreedom)
        #expect(abs(quantile - table) < 0.02 * table)
    }

    /// y = 2 + 0.5 x with residuals ±1: by hand, the slope's error is √(Σr²/(n−2)/Σ(x−x̄)²).
    @Test func lineThroughPoints() throws {
        let residuals = [1.0, -1, -1, 1]
        let points = (0..<4).map { Point(step: $0, value: 2 + 0.5 * Double($0) + residuals[$0]) }
        let fit = try #require(LinearFit(points))
        #expect(abs(fit.slope - 0.5) < 1e-12)
        #expect(abs(fit.standardError - (4.0 / 2 / 5).squareRoot()) < 1e-12)
        #expect(LinearFit(Array(points.prefix(3))) == nil)
        #expect(LinearFit(Array(repeating: points[0], count: 5)) == nil)
    }

    @Test func robustNoiseIgnoresTrendAndOutliers() throws {
        var generator = SeededGenerator(seed: 5)
        var series = (0..<2000).map { Double($0) * 0.01 + 0.3 * generator.normal() }
        for index in stride(from: 0, to: 2000, by: 50) { series[index] += 100 }
        #expect(abs(try #require(RobustStatistics.noise(series)) - 0.3) < 0.03)
    }
}
