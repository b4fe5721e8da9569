import Foundation
import MenoMetrics
import Testing

@testable import MenoTraining

@Suite struct BestModelTests {
    private func evaluation(_ step: Int, _ loss: Double) -> EvaluationMetrics {
        EvaluationMetrics(
            step: step, epoch: 0, loss: loss, tokenAccuracy: 0, completionLoss: nil, tokens: 1, samples: 1, seconds: 0)
    }

    @Test func aValueThatIsNoNumberIsNoImprovement() {
        var best = BestModel()
        var waited: [Int] = []
        for (step, loss) in [(1, 2.0), (2, .nan), (3, .nan), (4, 1.0), (5, .nan)] {
            best.offer(evaluation(step, loss), .loss, threshold: 0, isKept: true)
            waited.append(best.evaluationsWithoutImprovement)
        }
        #expect(waited == [0, 1, 2, 0, 1] && best.step == 4 && best.value == 1)
    }

    /// Weights that nobody keeps are an improvement, and not the best.
    @Test func onlyWeightsThatAreKeptCompete() {
        var best = BestModel()
        best.offer(evaluation(1, 2), .loss, threshold: 0, isKept: true)
        best.offer(evaluation(2, 1), .loss, threshold: 0, isKept: false)
        #expect(best.step == 1 && best.value == 2 && best.evaluationsWithoutImprovement == 0)
        best.offer(evaluation(3, 1.5), .loss, threshold: 0, isKept: true)
        #expect(best.step == 3 && best.value == 1.5 && best.evaluationsWithoutImprovement == 1)
    }

    /// Values of two metrics are never compared.
    @Test func anotherMetricJudgesTheLogAgain() {
        var best = BestModel()
        var log = StepLog()
        for (step, loss, accuracy) in [(1, 2.0, 0.5), (2, 1.0, 0.4), (3, 1.5, 0.3)] {
            let metrics = EvaluationMetrics(
                step: step, epoch: 0, loss: loss, tokenAccuracy: accuracy, completionLoss: 3 - loss, tokens: 1,
                samples: 1, seconds: 0)
            best.offer(metrics, .loss, threshold: 0, isKept: true)
            log.add(metrics)
        }
        let judged = { (metric: ModelMetric) in best.judged(by: metric, threshold: 0, evaluations: log.entries) }
        #expect(judged(.loss) == best && best.step == 2)
        #expect(judged(.tokenAccuracy).step == 1 && judged(.tokenAccuracy).evaluationsWithoutImprovement == 2)
        #expect(judged(.completionLoss).step == 1 && judged(.completionPerplexity).value == exp(1))
        // What is not on disk makes room for the next best; those before a change of examples do not come back.
        best.choose(among: log.entries, .loss) { $0 == 2 ? nil : .elsewhere("/other/checkpoint-\($0)") }
        #expect(best.step == 3 && best.value == 1.5 && best.folder == "/other/checkpoint-3")
        var later = BestModel(since: 3)
        later.choose(among: log.entries, .loss) { _ in .here }
        #expect(later.step == nil)
    }
}
