internal import Dispatch
public import Foundation
internal import MenoMetrics
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A command that gets every alert as JSON on its standard input. It runs beside the training and never holds it up.
public final class AlertCommand: Sendable {
    private let command: String
    private let runFolder: URL
    private let timeLimit: Double
    private let failures = Mutex<[String]>([])

    /// - Parameters:
    ///   - command: for `/bin/sh -c`; `MENO_RUN_DIR` is the run's folder there.
    ///   - timeLimit: in seconds; a command that takes longer is ended.
    public init(_ command: String, runFolder: URL, timeLimit: Double = 60) {
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
        try (EventEncoder.make().encode(alert) + Data("\n".utf8)).write(to: input)
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = ProcessInfo.processInfo.environment.merging(["MENO_RUN_DIR": runFolder.path]) { $1 }
        process.standardInput = try FileHandle(forReadingFrom: input)
        // What it says must not mix with a result on standard output.
        process.standardOutput = FileHandle.standardError
        process.terminationHandler = { [self] process in
            let status = process.terminationStatus
            switch process.terminationReason {
            case .exit where status == 0: break
            case .exit: add("ended with status \(status).")
            default: add("was ended by signal \(status).")
            }
        }
        try process.run()
        let watched = Watched(process: process)
        DispatchQueue.global().asyncAfter(deadline: .now() + timeLimit) {
            // It leads a process group of its own; what it has started ends with it.
            if watched.process.isRunning { kill(-watched.process.processIdentifier, SIGTERM) }
        }
    }

    private func add(_ text: String) {
        failures.withLock { $0.append("monitor.alert_command `\(command)` \(text)") }
    }

    /// `Process` may be asked and ended from any thread.
    private struct Watched: @unchecked Sendable {
        let process: Process
    }
}
