internal import Foundation
internal import Synchronization

/// Something that one thread asks another to stop.
final class StopFlag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}

/// The stack size of a thread in bytes, the same as the main thread's on most systems. Dispatch and
/// Swift's pool give less.
private let stackSize = 8 << 20

/// Runs a function on a new thread that ends with it. Work that takes minutes or hours would block
/// Swift's thread pool.
func onThread<Result: Sendable>(
    _ name: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
        thread.name = name
        thread.stackSize = stackSize
        thread.start()
    }
}

/// Runs the jobs of an actor on a dedicated thread. libtorch keeps a thread pool for each thread
/// that computes, so an actor that moved between threads would create one pool after another.
final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    // `condition` guards the following properties.
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var isStopped = false

    init(_ name: String) {
        let thread = Thread { self.work() }
        thread.name = name
        thread.stackSize = stackSize
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            jobs.append(job)
            condition.signal()
        }
    }

    /// Ends the thread once its queued jobs are done.
    func stop() {
        condition.withLock {
            isStopped = true
            condition.signal()
        }
    }

    private func work() {
        while let job = next() { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    private func next() -> UnownedJob? {
        condition.withLock {
            while jobs.isEmpty, !isStopped { condition.wait() }
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }
}
