import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGINT and SIGTERM: the first asks the run to end after its step, the second ends the process at once. SIGHUP, which a
/// closed terminal sends more than once, only asks.
enum Interruption {
    // Handlers may touch nothing but such a value.
    private static let requests = Atomic(0)

    /// The last signal that came and was not taken yet; 0: none.
    private static let signals = Atomic<Int32>(0)

    /// A signal that has come since the last call, for who passes it on.
    static func takeSignal() -> Int32? {
        let signal = signals.exchange(0, ordering: .relaxed)
        return signal == 0 ? nil : signal
    }

    /// Only passes signals on: the processes that get them decide.
    static func collect() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in Interruption.signals.store(number, ordering: .relaxed) }
        }
    }

    static var isRequested: Bool { requests.load(ordering: .relaxed) > 0 }

    static func install() {
        // Initialises the static above: a signal handler must not.
        _ = isRequested
        // A program that is started from a thread with blocked signals inherits the block.
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&mask, signal) }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
        for number in [SIGINT, SIGTERM] { signal(number) { _ in Interruption.request() } }
        // `nohup` has it ignored, and so it stays.
        if unsafeBitCast(signal(SIGHUP, SIG_IGN), to: Int.self) != unsafeBitCast(SIG_IGN, to: Int.self) {
            signal(SIGHUP) { _ in Interruption.hangUp() }
        }
    }

    /// Whoever reads the output of a run may go away: writing then fails, and the run goes on.
    static func outliveReaders() {
        // Not SIG_IGN, which an alert's command would inherit.
        signal(SIGPIPE) { _ in }
    }

    private static func request() {
        if requests.add(1, ordering: .relaxed).newValue > 1 { _exit(Status.interrupted) }
    }

    private static func hangUp() { _ = requests.compareExchange(expected: 0, desired: 1, ordering: .relaxed) }
}
