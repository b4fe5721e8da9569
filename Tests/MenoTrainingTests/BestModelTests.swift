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
}
