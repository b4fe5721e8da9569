package import Testing

/// Tests that draw random numbers or train: libtorch's generators belong to the whole process, so that they run one at a time.
package struct DrawsRandomNumbers: TestTrait, SuiteTrait, TestScoping {
    package var isRecursive: Bool { true }
    private static let turn = Turn()

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        await Self.turn.take()
        do {
            try await function()
        } catch {
            await Self.turn.giveBack()
            throw error
        }
        await Self.turn.giveBack()
    }
}

extension Trait where Self == DrawsRandomNumbers {
    package static var drawsRandomNumbers: Self { DrawsRandomNumbers() }
}

private actor Turn {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if !isTaken { isTaken = true } else { await withCheckedContinuation { waiting.append($0) } }
    }

    func giveBack() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
