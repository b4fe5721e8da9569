internal import CTorch
internal import Foundation
internal import Synchronization

/// Detects processes of a group that have ended or hang.
///
/// Each process increments a number in the store on a background thread and reads those of the others. A process whose number
/// stops changing is lost, and group operations that wait for it fail.
package final class ProcessWatch: Sendable {
    /// How long a number may stay unchanged, in seconds, and how long a process then has to end by itself.
    package struct Patience: Sendable {
        package var silence = 15.0
        /// Replaces the first limit after an operation has failed, to report a silent process sooner.
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
        /// Whether this process is ending by itself and may take its time.
        var isLeaving = false
        /// Whether this process reports to the others that it has failed.
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

    /// The native handle, which the threads share.
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
        // The thread ends with the watch, unless the store does not answer.
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
    /// - Returns: the next increment; `nil` once the watch has ended.
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

    /// Watches on a background thread and aborts operations that wait for a lost process.
    /// - Parameter onSilence: called if that does not end this process's work.
    package func begin(storeHost: String, onSilence: @escaping @Sendable (_ verdict: String) -> Never) {
        Thread.detachNewThread { [weak self, handle, patience] in
            while let self, !self.isLeaving {
                if let verdict = self.verdict(after: patience.silence, storeHost: storeHost) {
                    self.state.withLock { $0.verdict = verdict }
                    ct_process_watch_abort(handle.pointer)
                    // If another process failed, this one will notice at its next operation, after its current work.
                    if self.state.withLock({ $0.failed != nil }) { return }
                    Thread.sleep(forTimeInterval: patience.farewell)
                    if self.isLeaving { return }
                    onSilence(verdict)
                }
                Thread.sleep(forTimeInterval: 0.5)
            }
        }
    }

    /// The lost process and how it was lost, in words; `nil`: none.
    private func verdict(after silence: Double, storeHost: String) -> String? {
        let now = Self.now
        return state.withLock { state in
            if let known = state.verdict { return known }
            if let failed = state.failed, failed != rank {
                return "rank \(failed) failed: see its error message"
            }
            if now - state.contact > silence {
                return "\(storeHost) has not answered for \(Int(now - state.contact)) s: it has ended or is hanging"
            }
            // Report the process that went silent first: the others may have ended because of it.
            let oldest = state.changes.indices.filter { $0 != rank }.min { state.changes[$0] < state.changes[$1] }
            // A process is not blamed if it is silent only because the store is gone.
            guard let oldest, state.contact - state.changes[oldest] > silence else { return nil }
            return "rank \(oldest) has not responded for \(Int(now - state.changes[oldest])) s: it was killed or hangs"
        }
    }

    /// The lost process after an operation of the group failed. Waits until it is known.
    /// - Parameter storeHost: the host of the store, in words.
    /// - Returns: `nil` if all processes are alive.
    package func culprit(storeHost: String) -> String? {
        let end = Self.now + 2 * patience.silenceAfterFailure + 1
        while Self.now < end {
            if let verdict = verdict(after: patience.silenceAfterFailure, storeHost: storeHost) { return verdict }
            Thread.sleep(forTimeInterval: 0.1)
        }
        return nil
    }

    /// Reports to the others that this process ends because it failed.
    package func tellFailure() {
        state.withLock { $0.hasFailed = true }
        let end = Self.now + 2
        while Self.now < end, state.withLock({ $0.hasFailed }) { Thread.sleep(forTimeInterval: 0.05) }
        // Sent with the next increment.
        Thread.sleep(forTimeInterval: 0.7)
    }

    private var isLeaving: Bool { state.withLock { $0.isOver || $0.isLeaving } }

    /// Marks this process as ending by itself, whatever happens to the others. It still sends its heartbeat.
    package func leave() { state.withLock { $0.isLeaving = true } }

    /// Stops watching.
    package func end() { state.withLock { $0.isOver = true } }
}
