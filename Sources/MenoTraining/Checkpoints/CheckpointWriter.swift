internal import Dispatch
internal import Foundation
internal import MenoMetrics
internal import Synchronization

/// Writes checkpoints while training goes on, one at a time.
final class CheckpointWriter: Sendable {
    private let store: CheckpointStore
    private let limit: Int?
    private let queue = DispatchQueue(label: "meno.checkpoints")
    private let events = Mutex<[RunEvent]>([])

    /// - Parameter limit: how many checkpoints are kept; `nil`: all.
    init(_ store: CheckpointStore, limit: Int?) {
        self.store = store
        self.limit = limit
    }

    /// Begins to write; waits first until the one before is done.
    /// - Parameter kept: steps whose checkpoints are not removed.
    func begin(_ contents: CheckpointStore.Contents, keeping kept: Set<Int>) {
        wait()
        queue.async { [self] in
            let start = ContinuousClock.now
            do {
                try store.write(contents)
            } catch {
                add(.checkpointFailed(step: contents.step, reason: "\(error)"))
                return
            }
            add(.checkpointSaved(record(contents.step, seconds: (ContinuousClock.now - start).seconds)))
            for step in store.rotate(limit: limit, keeping: kept) {
                add(.checkpointRemoved(record(step, seconds: 0)))
            }
        }
    }

    /// Waits until nothing is being written.
    func wait() { queue.sync {} }

    /// What happened since this was last asked.
    func takeEvents() -> [RunEvent] {
        events.withLock { events in
            defer { events = [] }
            return events
        }
    }

    private func add(_ event: RunEvent) { events.withLock { $0.append(event) } }

    private func record(_ step: Int, seconds: Double) -> CheckpointRecord {
        CheckpointRecord(
            step: step, kind: .regular, path: "\(store.folder.lastPathComponent)/checkpoint-\(step)", seconds: seconds)
    }
}
