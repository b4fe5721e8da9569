import MenoTensor
import MenoTesting
import Testing

@Suite(.drawsRandomNumbers) struct TensorTests {
    @Test func elementsGoInAndComeOut() throws {
        let tensor = try Tensor([Float(1), 2, 3, 4, 5, 6], shape: [2, 3])
        #expect(tensor.shape == [2, 3])
        #expect(tensor.dtype == .float32)
        #expect(tensor.device == .cpu)
        #expect(try tensor.transposed().array(of: Float.self) == [1, 4, 2, 5, 3, 6])
        #expect(try tensor.to(.float64).sum().item() == 21)
    }

    @Test func readingTheWrongTypeIsAnError() throws {
        let tensor = try Tensor([Float(1)])
        #expect(throws: TorchError.self) { try tensor.array(of: Int64.self) }
    }

    @Test func libtorchsMessagesAreKept() throws {
        let a = try Tensor.ones([2, 3])
        let error = #expect(throws: TorchError.self) { try a.mm(a) }
        #expect(error?.code == .invalid)
        #expect(error?.place == "aten::mm")
        #expect(error?.message.contains("cannot be multiplied") == true)
    }

    @Test func anUnknownOperatorIsAnErrorOfItsOwn() throws {
        let nothing = Operator("aten::no_such_operator")
        let error = #expect(throws: TorchError.self) { try nothing(.tensor(Tensor.ones([1]))) }
        #expect(error?.code == .unknownOperator)
    }

    @Test func exhaustedMemoryHasItsOwnCode() throws {
        let error = #expect(throws: TorchError.self) { try Tensor(uninitialized: [1 << 46], dtype: .float32) }
        #expect(error?.code == .outOfMemory, "\(error?.message ?? "")")
    }

    @Test func tooManyArgumentsAreRefused() throws {
        let negate = Operator("aten::neg")
        let one = try Tensor.ones([1])
        #expect(throws: TorchError.self) { try negate(.tensor(one), .int(1)) }
    }

    @Test func theRandomStateRepeatsWhatFollowed() throws {
        try RandomGenerator.seed(7)
        _ = try Tensor.random([10])
        let state = try RandomGenerator.state()
        let first = try Tensor.randomNormal([33]).array(of: Float.self)
        let second = try Tensor.random([5]).array(of: Float.self)
        try RandomGenerator.setState(state)
        #expect(try Tensor.randomNormal([33]).array(of: Float.self) == first)
        #expect(try Tensor.random([5]).array(of: Float.self) == second)
        #expect(first != (try Tensor.randomNormal([33]).array(of: Float.self)))
    }
}
