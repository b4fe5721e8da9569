internal import Foundation
internal import Synchronization

/// Something that one thread asks another to stop.
final class StopFlag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}

/// Bytes of a thread's stack: as the main thread has it on most systems. Dispatch and Swift's own pool give less.
private let stackSize = 8 << 20

/// Runs a function on a new thread, which ends with it. Work of minutes and hours would block Swift's pool of threads.
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

/// Runs the jobs of an actor on a thread of its own. libtorch keeps its pool of threads for the thread that computes, so that
/// an actor which moves from one to another would make a pool for each of them.
final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    // `condition` guards what follows.
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

    /// Ends the thread after the jobs that it has.
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
