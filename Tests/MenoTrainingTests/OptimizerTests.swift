import Foundation
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// Against torch's and transformers' optimizers, and Lion's paper (`Tests/Reference/make_training.py`).
@Suite(.serialized) struct OptimizerTests {
    struct Reference: Decodable {
        var start: [[Float]]
        var gradients: [[[Float]]]
        var results: [String: [[[Float]]]]
    }

    private let shapes = [[3, 5], [4]]

    @Test(arguments: OptimizerOptions.Kind.allCases) func fourStepsEqualTheReference(_ kind: OptimizerOptions.Kind)
        throws
    {
        let reference = try JSONDecoder().decode(
            Reference.self, from: Data(contentsOf: Fixtures.url("training/optimizers.json")))
        let name = kind == .fusedAdamW ? OptimizerOptions.Kind.adamW.rawValue : kind.rawValue
        let expected = try #require(reference.results[name])
        let parameters = try zip(reference.start, shapes).map { try Tensor($0, shape: $1).requiringGradient() }
        let options = OptimizerOptions(kind: kind, beta1: 0.9, beta2: 0.99, weightDecay: 0.1)
        let named = [(name: "layer.weight", tensor: parameters[0]), (name: "norm.weight", tensor: parameters[1])]
        var optimizer = try options.optimizer(of: named)
        for (index, gradients) in reference.gradients.enumerated() {
            for (parameter, (gradient, shape)) in zip(parameters, zip(gradients, shapes)) {
                try parameter.setGradient(Tensor(gradient, shape: shape))
            }
            try optimizer.step(learningRate: 1e-2 * Double(index + 1))
            for (parameter, values) in zip(parameters, expected[index]) {
                let ours = try parameter.detached().array(of: Float.self)
                #expect(maximumDifference(ours, values) < 1e-6, "step \(index)")
            }
            // A new optimizer that is given the state goes on in the old one's place.
            let next = try options.optimizer(of: named)
            #expect(next.state.map(\.name) == optimizer.state.map(\.name))
            for (new, old) in zip(next.state, optimizer.state) { try new.tensor.copy_(old.tensor) }
            optimizer = next
        }
    }
}
