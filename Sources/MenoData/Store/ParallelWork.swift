internal import Dispatch
internal import Synchronization

/// Pieces of work that are done at the same time.
enum ParallelWork {
    /// - Parameter work: is given the number of a piece, from 0 on.
    /// - Returns: the result of each, in their order.
    static func results<Value: Sendable>(
        count: Int, workers: Int, _ work: @Sendable (Int) throws -> Value
    ) -> [Result<Value, any Error>] {
        let state = State<Value>(count: count)
        DispatchQueue.concurrentPerform(iterations: max(1, min(workers, count))) { _ in
            while let piece = state.next() { state.set(piece, Result { try work(piece) }) }
        }
        return state.results
    }

    private final class State<Value: Sendable>: Sendable {
        private let count: Int
        private let begun = Atomic<Int>(0)
        private let values: Mutex<[Result<Value, any Error>?]>

        init(count: Int) {
            self.count = count
            values = Mutex(Array(repeating: nil, count: count))
        }

        func next() -> Int? {
            let piece = begun.wrappingAdd(1, ordering: .relaxed).oldValue
            return piece < count ? piece : nil
        }

        func set(_ piece: Int, _ value: Result<Value, any Error>) { values.withLock { $0[piece] = value } }

        var results: [Result<Value, any Error>] { values.withLock { $0.compactMap { $0 } } }
    }
}
