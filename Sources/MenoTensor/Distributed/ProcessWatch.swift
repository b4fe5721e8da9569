internal import CTorch
internal import Foundation
internal import Synchronization

/// Detects processes of a group that have ended or hang.
///
/// On a separate thread, each process increments a counter in the store and watches those of the others. A process
/// whose counter stands still is lost, and group operations that wait for it then fail.
package final class ProcessWatch: Sendable {
    /// How long a counter may stand still, in seconds, and how long a process then has to end by itself.
    package struct Patience: Sendable {
        package var silence = 15.0
        /// After a failed operation, another process's silence is reported sooner.
        package var silenceAfterFailure = 4.0
        package var farewell = 8.0
    }

    private struct State {
        /// Every process's counter, and when it last changed.
        var beats: [Int64]
        var changes: [Double]
        /// When the store last answered.
        var contact: Double
        var isOver = false
        /// Whether this process is ending by itself and needs time.
        var isLeaving = false
        /// Whether this process reports its failure to the others.
        var hasFailed = false
        var verdict: String?

        /// A process that has reported its failure.
        var failed: Int? { beats.firstIndex { $0 >= ProcessWatch.failure } }
    }

    private let state: Mutex<State>
    private let handle: Handle
    private let rank: Int
    private let patience: Patience
    /// Added once by a process that fails, so that the others need not wait for its counter to stop.
    fileprivate static let failure: Int64 = 1 << 40

    /// libtorch's handle, which the threads share.
    private final class Handle: @unchecked Sendable {
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { ct_process_watch_end(pointer) }
    }

    init(_ pointer: OpaquePointer, rank: Int, size: Int, patience: Patience = Patience()) {
        handle = Handle(pointer)
        self.rank = rank
        self.patience = patience
        let now = Self.now
        state = Mutex(
            State(
                beats: Array(repeating: -1, count: size), changes: Array(repeating: now, count: size), contact: now))
        // The thread ends with the watch, unless a store that does not answer blocks it.
        Thread.detachNewThread { [handle, weak self] in
            var beats = [Int64](repeating: 0, count: size)
            var own: Int64 = 1
            while true {
                let status = ct_process_watch_beat(handle.pointer, own, &beats)
                if status.code != CT_OK { ct_string_free(status.message) }
                guard let next = self?.heard(status.code == CT_OK ? beats : nil) else { return }
                own = next
                Thread.sleep(forTimeInterval: 0.5)
            }
        }
    }

    private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

    /// - Parameter beats: `nil` where the store cannot be reached.
    /// - Returns: what to add next; `nil` once nothing is watched any more.
    private func heard(_ beats: [Int64]?) -> Int64? {
        let now = Self.now
        return state.withLock { state in
            if state.isOver { return nil }
            if let beats {
                state.contact = now
                for (other, beat) in beats.enumerated() where beat != state.beats[other] {
                    (state.beats[other], state.changes[other]) = (beat, now)
                }
            }
            if state.hasFailed {
                state.hasFailed = false
                return Self.failure
            }
            return 1
        }
    }

    /// Watches from a separate thread, and aborts operations that wait for a lost process.
    /// - Parameter onSilence: called if that does not end this process's work.
    package func begin(storeHost: String, onSilence: @escaping @Sendable (_ verdict: String) -> Never) {
        Thread.detachNewThread { [weak self, handle, patience] in
            while let self, !self.isLeaving {
                if let verdict = self.verdict(after: patience.silence, storeHost: storeHost) {
                    self.state.withLock { $0.verdict = verdict }
                    ct_process_watch_abort(handle.pointer)
                    // If another process failed, this one notices at its next operation, after its current work.
                    if self.state.withLock({ $0.failed != nil }) { return }
                    Thread.sleep(forTimeInterval: patience.farewell)
                    if self.isLeaving { return }
                    onSilence(verdict)
                }
                Thread.sleep(forTimeInterval: 0.5)
            }
        }
    }

    /// The lost process, in words; `nil`: none.
    private func verdict(after silence: Double, storeHost: String) -> String? {
        let now = Self.now
        return state.withLock { state in
            if let known = state.verdict { return known }
            if let failed = state.failed, failed != rank {
                return "rank \(failed) failed: its own message says why"
            }
            if now - state.contact > silence {
                return "\(storeHost) has not answered for \(Int(now - state.contact)) s: it has ended or is hanging"
            }
            // The first one that fell silent: the others may have ended because of it.
            let oldest = state.changes.indices.filter { $0 != rank }.min { state.changes[$0] < state.changes[$1] }
            // If the store is gone, processes that cannot be heard are not blamed.
            guard let oldest, state.contact - state.changes[oldest] > silence else { return nil }
            return
                "rank \(oldest) has not been heard from for \(Int(now - state.changes[oldest])) s: it was killed or is hanging"
        }
    }

    /// The lost process after a failed group operation; waits until that is known.
    /// - Parameter storeHost: who hosts the store, in words.
    /// - Returns: `nil` if all processes are there.
    package func culprit(storeHost: String) -> String? {
        let end = Self.now + 2 * patience.silenceAfterFailure + 1
        while Self.now < end {
            if let verdict = verdict(after: patience.silenceAfterFailure, storeHost: storeHost) { return verdict }
            Thread.sleep(forTimeInterval: 0.1)
        }
        return nil
    }

    /// Tells the others that this process is ending because it failed.
    package func tellFailure() {
        state.withLock { $0.hasFailed = true }
        let end = Self.now + 2
        while Self.now < end, state.withLock({ $0.hasFailed }) { Thread.sleep(forTimeInterval: 0.05) }
        // Sent with the next increment.
        Thread.sleep(forTimeInterval: 0.7)
    }

    private var isLeaving: Bool { state.withLock { $0.isOver || $0.isLeaving } }

    /// From now on this process ends by itself, whatever happens to the others; it keeps incrementing its counter.
    package func leave() { state.withLock { $0.isLeaving = true } }

    /// From now on no process is reported as lost.
    package func end() { state.withLock { $0.isOver = true } }
}
