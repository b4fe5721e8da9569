internal import Dispatch
internal import Synchronization

/// A value that another thread computes in the background.
final class Deferred<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let isDone = DispatchSemaphore(value: 0)

    init(_ compute: @escaping @Sendable () throws -> Value) {
        DispatchQueue.global(qos: .userInitiated).async { [self] in
            let computed = Result { try compute() }
            result.withLock { $0 = computed }
            isDone.signal()
        }
    }

    /// Waits for the value.
    /// - Throws: what the computation threw.
    func value() throws -> Value {
        isDone.wait()
        // Kept for the next caller.
        isDone.signal()
        guard let result = result.withLock({ $0 }) else { preconditionFailure("what is done has a result") }
        return try result.get()
    }
}
