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
        let head = LanguageModelHead(weight: Parameter("lm_head.weight", FrozenMatrix(table)), softcap: softcap)

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

    /// An objective that is no sum: log σ of the difference of two groups of targets, as preferences have it. Its gradients with
    /// respect to states and weight, against autograd's over whole logits in float64.
    @Test(arguments: [false, true], [nil, 5.0])
    func anObjectiveOfEachTarget(_ trainsHead: Bool, _ softcap: Double?) throws {
        try RandomGenerator.seed(6)
        let (rows, hidden, vocabulary) = (30, 48, 1_100)
        let states = try Tensor.randomNormal([rows, hidden])
        let table = try Tensor.randomNormal([vocabulary, hidden]) * 0.3
        let targets = (0..<rows).map { Int64(($0 * 7919 + 3) % vocabulary) }
        let signs = try Tensor((0..<rows).map { $0 < rows / 2 ? Float(-0.1) : 0.1 })
        let parameter = Parameter("lm_head.weight", FrozenMatrix(table))
        if trainsHead { try parameter.train() }
        let head = LanguageModelHead(weight: parameter, softcap: softcap)

        func margin(_ terms: Tensor, _ signs: Tensor) throws -> Tensor {
            let margin = try (terms * signs).sum()
            return try (-((-margin).exp() + 1).logarithm())
        }
        let leaf = try states.detached().requiringGradient()
        let losses = try head.targetLosses(leaf, targets: targets)
        try margin(losses.terms, signs).backward()

        let exact = try states.to(.float64).detached().requiringGradient()
        let exactTable = try table.to(.float64).detached().requiringGradient()
        var z = try exact.matmul(exactTable.transposed())
        if let softcap { z = try (z / softcap).tanh() * softcap }
        let chosen = try z.gathered(along: 1, at: Tensor(targets).unsqueezed(1)).squeezed(1)
        let expected = try z.logSumExp(along: -1) - chosen
        try margin(expected, signs.to(.float64)).backward()

        let floats = { (tensor: Tensor) in try tensor.detached().to(.float32).array(of: Float.self) }
        #expect(try maximumRelativeDifference(floats(losses.terms), floats(expected), floor: 1) < 2e-6)
        #expect(try relativeError(floats(leaf.gradient()!), floats(exact.gradient()!)) < 3e-6)
        guard trainsHead else { return }
        #expect(try relativeError(floats(parameter.tensor.gradient()!), floats(exactTable.gradient()!)) < 3e-6)
    }
}
