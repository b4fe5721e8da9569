import MenoTesting
import Testing

@testable import MenoTensor

/// This project's operators as the dispatcher has them.
@Suite struct KernelsTests {
    /// They have no derivative; the dispatcher would make nodes that warn of that.
    @Test func operatorsMakeNoNodesOfTheirOwn() throws {
        let x = try Tensor.ones([3, 2, 4]).requiringGradient()
        let table = try Tensor.ones([3, 1, 4])
        #expect(isGradientEnabled)
        #expect(try !Kernels.rotate.one(.tensor(x), .tensor(table), .tensor(table), .bool(false)).requiresGradient)
        let weight = try Tensor.ones([4]).requiringGradient()
        let results = try Kernels.rmsNorm(.tensor(x), .tensor(weight), .double(0), .double(1e-6))
        #expect(results.count == 2 && results.allSatisfy { $0?.requiresGradient == false })
    }

    @Test func questionsHaveAnswers() throws {
        let x = try Tensor.ones([2, 3])
        #expect(Kernels.take(.fusedLayers, x))
        #expect(try !Kernels.take(.fusedLayers, x.to(.float64)))
        #expect(Kernels.take(.frozenProduct, x, x) == Torch.hasOwnProducts)
        #expect(Device.cpu.kernelFault == nil)
        let takes = Operator("meno::takes")
        #expect(throws: TorchError.self) { try takes.ask(.string("nothing"), .tensors([x])) }
        #expect(throws: TorchError.self) { try takes.ask(.string("frozen_product"), .tensors([x])) }
        #expect(throws: TorchError.self) { try Operator("aten::neg").ask(.tensor(x)) }
    }

    @Test func whatAKernelDoesNotTakeIsRefused() throws {
        let x = try Tensor.ones([2, 3]).to(.float64)
        #expect(throws: TorchError.self) { try x.gating(x, .silu) }
        #expect(throws: TorchError.self) {
            try Kernels.gate.one(.tensor(Tensor.ones([2])), .tensor(Tensor.ones([2])), .string("relu"))
        }
    }
}
