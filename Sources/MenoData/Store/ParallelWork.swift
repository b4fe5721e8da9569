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

    /// Works on one piece after the other, with the results in the order of the pieces.
    ///
    /// Nobody waits for the slowest piece of a group: the calling thread reads pieces ahead and takes results as they come, and in
    /// between it works too.
    /// - Parameters:
    ///   - workers: threads that work at the same time, the calling one among them.
    ///   - ahead: pieces that have been read and whose results have not been taken, at most.
    ///   - next: reads a piece, on the calling thread; `nil` at the end.
    ///   - take: is given the results, on the calling thread.
    /// - Throws: what the closures throw. Before an error of `next`, the results of all earlier pieces are taken.
    static func inOrder<Piece: Sendable, Value: Sendable>(
        workers: Int, ahead: Int, next: () throws -> Piece?, work: @escaping @Sendable (Piece) throws -> Value,
        take: (Value) throws -> Void
    ) throws {
        let line = PieceLine<Piece, Value>()
        let group = DispatchGroup()
        for _ in 1..<max(2, workers) where workers > 1 {
            DispatchQueue.global().async(group: group) {
                while let (number, piece) = line.begin(waits: true) { line.finish(number, Result { try work(piece) }) }
            }
        }
        defer {
            line.close()
            group.wait()
        }
        var failure: (any Error)?
        var isAtEnd = false
        while true {
            if !isAtEnd, line.count < max(1, ahead) {
                do {
                    if let piece = try next() {
                        line.append(piece)
                        continue
                    }
                } catch {
                    failure = error
                }
                isAtEnd = true
            }
            if let result = line.first(waits: false) {
                try take(result.get())
            } else if let (number, piece) = line.begin(waits: false) {
                line.finish(number, Result { try work(piece) })
            } else if let result = line.first(waits: true) {
                try take(result.get())
            } else {
                break
            }
        }
        if let failure { throw failure }
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
