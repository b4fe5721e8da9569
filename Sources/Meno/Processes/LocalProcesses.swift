package import Foundation
internal import MenoConfiguration

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Processes of this program on this machine that train together over its loopback interface.
package final class LocalProcesses {
    /// In the environment of a process that was started so: it ends when its standard input does.
    package static let mark = "MENO_STARTED_LOCALLY"
    /// Seconds that the others have to end by themselves after one has failed.
    private static let grace = 20.0

    private let processes: [Process]
    /// Held open as long as this process lives: where it is killed, its processes notice.
    private let inputs: [Pipe]

    /// Starts them.
    /// - Parameter arguments: of each of them.
    package init(_ count: Int, program: URL, arguments: [String]) throws {
        let port = try Self.freePort()
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

    /// The processes' numbers, by rank.
    package var identifiers: [Int32] { processes.map(\.processIdentifier) }

    /// Waits until all have ended. When one fails, the others are given a while to say why they end, too.
    /// - Parameters:
    ///   - signal: asked often; a signal that is to be passed on to all, once.
    ///   - tell: called with what there is to say.
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
                // One that has nothing to save yet ends by the signal itself.
                let isAsked = isKilled && passedOn.contains(process.terminationStatus)
                let own = isAsked ? Self.interrupted : isKilled ? 1 : process.terminationStatus
                if isKilled, !isAsked { tell("rank \(rank) was ended by signal \(process.terminationStatus)") }
                // What the first one ends with counts, unless another failed.
                if own != 0, status == 0 || (status == Self.interrupted && own != Self.interrupted) { status = own }
                if own != 0, own != Self.interrupted, deadline == nil {
                    deadline = Date(timeIntervalSinceNow: Self.grace)
                }
                return true
            }
            if let limit = deadline, limit < Date() {
                for (rank, process) in running {
                    tell("rank \(rank) has not ended by itself, and is killed")
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

    /// In a process that was started so: waits, on a thread of its own, for the end of the one that started it.
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

    /// A port of the loopback interface that nobody listens on.
    private static func freePort() throws -> UInt16 {
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, kind, 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else {
            throw ConfigurationError(
                .invalid, at: "--processes", "no port of 127.0.0.1 is free (\(String(cString: strerror(errno)))).")
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
