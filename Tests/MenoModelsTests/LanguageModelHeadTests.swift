import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

@Suite(.drawsRandomNumbers) struct LanguageModelHeadTests {
    /// Losses and gradients with smoothed targets against the definition in float64, over chunks of the vocabulary of which
    /// the last is smaller, and where a cap makes logits no linear function of the states.
    @Test(arguments: [DType.float32, .bfloat16], [nil, 5.0])
    func smoothedTargets(_ type: DType, _ softcap: Double?) throws {
        try RandomGenerator.seed(5)
        let (rows, hidden, vocabulary, smoothing) = (40, 64, 1_300, 0.2)
        let states = try Tensor.randomNormal([rows, hidden]).to(type)
        let table = try (Tensor.randomNormal([vocabulary, hidden]) * 0.3 + 0.05).to(type)
        let targets = (0..<rows).map { Int64(($0 * 7919 + 3) % vocabulary) }
        let head = LanguageModelHead(weight: Parameter("lm_head.weight", table), softcap: softcap)

        let leaf = try states.detached().requiringGradient()
        let losses = try head.loss(leaf, targets: targets, smoothing: smoothing)
        try losses.sum.backward()

        let exact = try states.to(.float64).detached().requiringGradient()
        var z = try exact.matmul(table.to(.float64).transposed())
        if let softcap { z = try (z / softcap).tanh() * softcap }
        let chosen = try z.gathered(along: 1, at: Tensor(targets).unsqueezed(1)).squeezed(1)
        let expected = try z.logSumExp(along: -1) - (chosen * (1 - smoothing) + z.mean(along: [1]) * smoothing)
        try expected.sum().backward()

        let values = try expected.detached().to(.float32).array(of: Float.self)
        #expect(maximumRelativeDifference(losses.values, values, floor: 1) < (type == .float32 ? 2e-6 : 3e-2))
        let gradients = try [leaf, exact].map { try $0.gradient()!.to(.float32).array(of: Float.self) }
        #expect(relativeError(gradients[0], gradients[1]) < (type == .float32 ? 2e-6 : 1e-2))
    }
}
