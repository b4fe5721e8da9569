import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGINT and SIGTERM: the first asks the run to end after its step, the second ends the process at once.
enum Interruption {
    // Only the signal handler writes it, and a handler may touch nothing but such a variable.
    nonisolated(unsafe) private static var signals: sig_atomic_t = 0

    static var isRequested: Bool { signals > 0 }

    static func install() {
        // A program that is started from a thread with blocked signals inherits the block.
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in [SIGINT, SIGTERM] { sigaddset(&mask, signal) }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
        for signal in [SIGINT, SIGTERM] {
            #if canImport(Glibc)
                Glibc.signal(signal) { _ in Interruption.count() }
            #else
                Darwin.signal(signal) { _ in Interruption.count() }
            #endif
        }
    }

    private static func count() {
        signals += 1
        if signals > 1 { _exit(Status.interrupted) }
    }
}
