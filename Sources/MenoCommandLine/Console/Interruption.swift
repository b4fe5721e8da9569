import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGINT and SIGTERM: the first asks the run to stop after the current step, the second ends the process at once.
/// SIGHUP, which a closed terminal sends more than once, only asks.
enum Interruption {
    // Signal handlers may use nothing but a lock-free atomic.
    private static let requests = Atomic(0)

    /// The last signal that has not been taken yet; 0: none.
    private static let signals = Atomic<Int32>(0)

    /// Takes the signal received since the last call, in order to pass it on.
    static func takeSignal() -> Int32? {
        let signal = signals.exchange(0, ordering: .relaxed)
        return signal == 0 ? nil : signal
    }

    /// Only records signals for passing on; the processes that receive them decide what to do.
    static func collect() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in Interruption.signals.store(number, ordering: .relaxed) }
        }
    }

    static var isRequested: Bool { requests.load(ordering: .relaxed) > 0 }

    static func install() {
        // Initialises the static above: a signal handler must not.
        _ = isRequested
        // A program started from a thread with blocked signals inherits the mask.
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&mask, signal) }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
        for number in [SIGINT, SIGTERM] { signal(number) { _ in Interruption.request() } }
        // `nohup` ignores it, and it stays ignored.
        if unsafeBitCast(signal(SIGHUP, SIG_IGN), to: Int.self) != unsafeBitCast(SIG_IGN, to: Int.self) {
            signal(SIGHUP) { _ in Interruption.hangUp() }
        }
    }

    /// If the reader of a run's output goes away, writing fails and the run continues.
    static func outliveReaders() {
        // Not SIG_IGN, which an alert's command would inherit.
        signal(SIGPIPE) { _ in }
    }

    private static func request() {
        if requests.add(1, ordering: .relaxed).newValue > 1 { _exit(Status.interrupted) }
    }

    private static func hangUp() { _ = requests.compareExchange(expected: 0, desired: 1, ordering: .relaxed) }
}
