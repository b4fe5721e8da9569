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
        let offers = [(1, 2.0), (2, .nan), (3, .nan), (4, 1.0), (5, .nan)].map { step, loss in
            best.offer(evaluation(step, loss), .loss, threshold: 0) ? 0 : best.evaluationsWithoutImprovement
        }
        #expect(offers == [0, 1, 2, 0, 1] && best.step == 4 && best.value == 1)
    }

    /// Values of two metrics are never compared.
    @Test func anotherMetricFindsTheBestAnew() {
        var best = BestModel()
        var log = StepLog()
        for (step, loss, accuracy) in [(1, 2.0, 0.5), (2, 1.0, 0.4), (3, 1.5, 0.3)] {
            let metrics = EvaluationMetrics(
                step: step, epoch: 0, loss: loss, tokenAccuracy: accuracy, completionLoss: loss, tokens: 1, samples: 1,
                seconds: 0)
            _ = best.offer(metrics, .loss, threshold: 0)
            log.add(metrics)
        }
        let judged = { (metric: ModelMetric) in best.judged(by: metric, threshold: 0, evaluations: log.entries) }
        #expect(judged(.loss) == best && best.step == 2)
        #expect(judged(.tokenAccuracy).step == 1 && judged(.tokenAccuracy).evaluationsWithoutImprovement == 2)
        // The log does not tell it.
        #expect(judged(.completionLoss).step == nil)
    }
}
