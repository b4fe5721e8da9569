package import Foundation
internal import MenoTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Processes of this program on this machine that train together over its loopback interface.
package final class LocalProcesses {
    /// An environment variable set for processes started here: such a process ends when its
    /// standard input is closed.
    package static let mark = "MENO_STARTED_LOCALLY"
    /// Seconds that the others have to end by themselves after one process has failed.
    private static let grace = 20.0

    private let processes: [Process]
    /// Held open as long as this process lives. If it is killed, the processes it started notice.
    private let inputs: [Pipe]

    /// Starts the processes.
    /// - Parameter arguments: the same for each of them.
    package init(_ count: Int, program: URL, arguments: [String]) throws {
        let port = try LoopbackPort.free()
        var processes: [Process] = []
        var inputs: [Pipe] = []
        for rank in 0..<count {
            let process = Process()
            process.executableURL = program
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.merging([
                "RANK": "\(rank)", "LOCAL_RANK": "\(rank)", "WORLD_SIZE": "\(count)", "LOCAL_WORLD_SIZE": "\(count)",
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)", Self.mark: "1",
                "TORCHELASTIC_USE_AGENT_STORE": "", "GLOO_SOCKET_IFNAME": "",
            ]) { $1 }
            let input = Pipe()
            process.standardInput = input
            try process.run()
            try input.fileHandleForReading.close()
            processes.append(process)
            inputs.append(input)
        }
        (self.processes, self.inputs) = (processes, inputs)
    }

    /// Process ids, by rank.
    package var identifiers: [Int32] { processes.map(\.processIdentifier) }

    /// Waits until all processes have ended. If one fails, the others get some time to report why
    /// they end.
    /// - Parameters:
    ///   - signal: polled; returns, once, a signal to pass on to all processes.
    ///   - tell: called with messages for the user.
    /// - Returns: the exit status for all of them.
    package func wait(signal: () -> Int32?, tell: (String) -> Void) -> Int32 {
        var status: Int32 = 0
        var deadline: Date?
        var passedOn: Set<Int32> = []
        var running = Array(processes.enumerated())
        while !running.isEmpty {
            if let signal = signal() {
                passedOn.insert(signal)
                for (_, process) in running { kill(process.processIdentifier, signal) }
            }
            running.removeAll { rank, process in
                guard !process.isRunning else { return false }
                let isKilled = process.terminationReason == .uncaughtSignal
                // A process that has nothing to save yet is ended by the signal itself.
                let isAsked = isKilled && passedOn.contains(process.terminationStatus)
                let own = isAsked ? Self.interrupted : isKilled ? 1 : process.terminationStatus
                if isKilled, !isAsked { tell("rank \(rank) was ended by signal \(process.terminationStatus)") }
                // The first exit status counts, unless another process failed.
                if own != 0, status == 0 || (status == Self.interrupted && own != Self.interrupted) { status = own }
                if own != 0, own != Self.interrupted, deadline == nil {
                    deadline = Date(timeIntervalSinceNow: Self.grace)
                }
                return true
            }
            if let limit = deadline, limit < Date() {
                for (rank, process) in running {
                    tell("rank \(rank) did not exit in time and was killed")
                    kill(process.processIdentifier, SIGKILL)
                }
                deadline = .distantFuture
            }
            Thread.sleep(forTimeInterval: 0.05)
        }
        withExtendedLifetime(inputs) {}
        return status
    }

    private static let interrupted: Int32 = 130

    /// In a process started this way: waits, on a separate thread, for its parent to end.
    package static func endWithStarter(_ environment: [String: String], onEnd: @escaping @Sendable () -> Never) {
        guard environment[mark] == "1" else { return }
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { onEnd() }
            }
        }
    }
}
