internal import Dispatch
internal import Foundation
internal import MenoMetrics
internal import Synchronization

/// Writes and removes checkpoints in the background, one at a time.
final class CheckpointWriter: Sendable {
    private let regular: CheckpointStore
    private let stable: CheckpointStore
    private let limit: Int?
    private let queue = DispatchQueue(label: "meno.checkpoints")
    private let events = Mutex<[RunEvent]>([])

    /// - Parameter limit: the number of regular checkpoints to keep; `nil`: all.
    init(_ saving: RunSaving, limit: Int?) {
        regular = saving.store
        stable = saving.stableStore
        self.limit = limit
    }

    /// Starts writing a regular checkpoint, after waiting for the previous one.
    /// - Parameter kept: steps whose checkpoints must not be removed.
    func begin(_ contents: CheckpointStore.Contents, keeping kept: Set<Int>) {
        wait()
        queue.async { [self] in
            if write(contents, to: regular) { removeOldest(keeping: kept.union([contents.step])) }
        }
    }

    /// Removes regular checkpoints beyond the limit, as after a save. A run that was killed in between has one too
    /// many, and may not save again.
    /// - Parameter kept: steps whose checkpoints must not be removed.
    func rotate(keeping kept: Set<Int>) { queue.async { [self] in removeOldest(keeping: kept) } }

    private func removeOldest(keeping kept: Set<Int>) {
        for step in regular.rotate(limit: limit, keeping: kept) { add(.checkpointRemoved(record(step, of: regular))) }
    }

    /// Starts writing a stable checkpoint, which only ``removeStable(step:)`` removes.
    func beginStable(_ contents: CheckpointStore.Contents) {
        wait()
        queue.async { [self] in _ = write(contents, to: stable) }
    }

    func removeStable(step: Int) {
        queue.async { [self] in
            do {
                if try stable.remove(step: step) { add(.checkpointRemoved(record(step, of: stable))) }
            } catch {
                add(.warning("\(stable.path(step: step)) could not be removed (\(error.localizedDescription))."))
            }
        }
    }

    /// Waits until all writes are finished.
    func wait() { queue.sync {} }

    /// Events since the last call.
    func takeEvents() -> [RunEvent] {
        events.withLock { events in
            defer { events = [] }
            return events
        }
    }

    private func write(_ contents: CheckpointStore.Contents, to store: CheckpointStore) -> Bool {
        let start = ContinuousClock.now
        do {
            try store.write(contents)
        } catch {
            add(.checkpointFailed(kind: store.kind, step: contents.step, reason: error.text))
            return false
        }
        add(.checkpointSaved(record(contents.step, of: store, seconds: (ContinuousClock.now - start) / .seconds(1))))
        return true
    }

    private func add(_ event: RunEvent) { events.withLock { $0.append(event) } }

    private func record(_ step: Int, of store: CheckpointStore, seconds: Double = 0) -> CheckpointRecord {
        CheckpointRecord(step: step, kind: store.kind, path: store.path(step: step), seconds: seconds)
    }
}
