import MenoTensor
import Testing

@Suite(.serialized) struct AutogradTests {
    @Test func gradientsAccumulateInLeaves() throws {
        let x = try Tensor([Float(1), 2, 3]).requiringGradient()
        try (x * x).sum().backward()
        #expect(try x.gradient()?.array() == [Float(2), 4, 6])
        try (x * 3).sum().backward()
        #expect(try x.gradient()?.array() == [Float(5), 7, 9])
        try x.setGradient(nil)
        #expect(try x.gradient() == nil)
    }

    @Test func nothingIsRecordedWithoutGradient() throws {
        let x = try Tensor([Float(1)]).requiringGradient()
        let y = try withoutGradient { try x * 2 }
        #expect(!y.requiresGradient)
        #expect(isGradientEnabled)
        struct Failure: Error {}
        #expect(throws: Failure.self) { try withoutGradient { throw Failure() } }
        #expect(isGradientEnabled)
    }

    @Test func gradientsOfChosenInputs() throws {
        let x = try Tensor([Float(2)]).requiringGradient()
        let y = try Tensor([Float(5)]).requiringGradient()
        let unused = try Tensor([Float(1)]).requiringGradient()
        let gradients = try Tensor.gradients(
            of: [x * y], outputGradients: [Tensor([Float(10)])], withRespectTo: [x, y, unused])
        #expect(try gradients[0]?.array() == [Float(50)])
        #expect(try gradients[1]?.array() == [Float(20)])
        #expect(gradients[2] == nil)
        #expect(try x.gradient() == nil)
    }

    @Test func aCustomNodeUsesItsOwnDerivative() throws {
        let x = try Tensor([Float(1), 2]).requiringGradient()
        let doubled = try withoutGradient { try x * 2 }
        let y = try Tensor.customNode(inputs: [x], outputs: [doubled]) { [try $0[0]! * 100] }[0]
        try (y * 3).sum().backward()
        #expect(try y.array() == [Float(2), 4])
        #expect(try x.gradient()?.array() == [Float(300), 300])
    }

    @Test func anErrorInACustomNodeComesOutOfBackward() throws {
        struct Failure: Error, Equatable { var value: Int }
        let x = try Tensor([Float(1)]).requiringGradient()
        let y = try Tensor.customNode(inputs: [x], outputs: [x.detached()]) { _ in throw Failure(value: 3) }[0]
        #expect(throws: Failure(value: 3)) { try y.sum().backward() }
    }

    /// In a process of its own, where no other test makes tensors.
    @Test func noHandleIsLeaked() async {
        await #expect(processExitsWith: .success) {
            let before = Tensor.liveCount
            try makeAndDropTensors()
            try #require(Tensor.liveCount == before)
        }
    }
}

private func makeAndDropTensors() throws {
    let x = try Tensor.random([4, 4]).requiringGradient()
    for _ in 0..<10 {
        let y = try Tensor.customNode(inputs: [x], outputs: [x.detached()]) { [$0[0]] }[0]
        let nested = try Tensor.customNode(inputs: [y], outputs: [y.detached()]) { gradients in
            let leaf = try y.detached().requiringGradient()
            let again = try withGradient(enabled: true) { try leaf.mm(leaf) }
            return try Tensor.gradients(of: [again], outputGradients: [gradients[0]!], withRespectTo: [leaf])
        }[0]
        try nested.sum().backward()
        // A node that is never run is released as well.
        _ = try Tensor.customNode(inputs: [x], outputs: [x.detached()]) { [x] in [$0[0], x].dropLast() }
    }
    #expect(throws: TorchError.self) { try x.mm(Tensor.ones([3, 3])) }
    try #require(x.gradient() != nil)
}
