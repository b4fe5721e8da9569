internal import Dispatch
package import Foundation
internal import MenoMetrics
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A command that gets every alert as JSON on its standard input. It runs beside the training and never holds it up.
package final class AlertCommand: Sendable {
    private let command: String
    private let runFolder: URL
    private let timeLimit: Double
    private let failures = Mutex<[String]>([])
    /// Process groups that have not ended.
    private let running = Mutex<Set<Int32>>([])

    /// - Parameters:
    ///   - command: for `/bin/sh -c`; `MENO_RUN_DIR` is the run's folder there.
    ///   - timeLimit: in seconds; a command that takes longer is ended.
    package init(_ command: String, runFolder: URL, timeLimit: Double = 60) {
        self.command = command
        self.runFolder = runFolder
        self.timeLimit = timeLimit
    }

    func run(_ alert: Alert) {
        do {
            try start(alert)
        } catch {
            add("could not be started (\(error.localizedDescription)).")
        }
    }

    func takeFailures() -> [String] {
        failures.withLock { failures in
            defer { failures = [] }
            return failures
        }
    }

    private func start(_ alert: Alert) throws {
        // A file and not a pipe: a command that does not read must not end this process by a signal.
        let input = FileManager.default.temporaryDirectory.appending(path: "meno-alert-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: input) }
        // A line, as a command may want to append it to a file of such.
        try (JSONEncoder.reproducible().encode(alert) + Data("\n".utf8)).write(to: input)
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = ProcessInfo.processInfo.environment.merging(["MENO_RUN_DIR": runFolder.path]) { $1 }
        process.standardInput = try FileHandle(forReadingFrom: input)
        // What it says must not mix with a result on standard output.
        process.standardOutput = FileHandle.standardError
        process.terminationHandler = { [self] process in
            running.withLock { _ = $0.remove(process.processIdentifier) }
            let status = process.terminationStatus
            switch process.terminationReason {
            case .exit where status == 0: break
            case .exit: add("ended with status \(status).")
            default: add("was ended by signal \(status).")
            }
        }
        // Held until it is among those that run, or one that ends at once would stay there.
        try running.withLock { running in
            try process.run()
            running.insert(process.processIdentifier)
        }
        let group = process.processIdentifier
        DispatchQueue.global().asyncAfter(deadline: .now() + timeLimit) { [self] in
            end(group, by: SIGTERM)
            DispatchQueue.global().asyncAfter(deadline: .now() + 5) { [self] in end(group, by: SIGKILL) }
        }
    }

    /// It leads a process group of its own; what it has started ends with it.
    private func end(_ group: Int32, by signal: Int32) {
        if running.withLock({ $0.contains(group) }) { kill(-group, signal) }
    }

    /// Waits a while for commands to end, when the run does, and ends those that do not.
    /// - Parameter grace: in seconds.
    func finish(grace: Double = 10) {
        let deadline = ContinuousClock.now + .seconds(grace)
        while ContinuousClock.now < deadline, running.withLock({ !$0.isEmpty }) { usleep(20_000) }
        for group in running.withLock({ $0 }) { end(group, by: SIGKILL) }
    }

    private func add(_ text: String) {
        failures.withLock { $0.append("the alert command `\(command)` \(text)") }
    }
}
