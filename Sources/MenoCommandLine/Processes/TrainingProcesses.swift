import ArgumentParser
import Foundation
import Meno
import MenoConfiguration
import MenoErrors
import MenoTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs a command as one of several processes, or starts those processes.
enum TrainingProcesses {
    /// Starts processes of this program with the same arguments, and exits with their status.
    static func start(_ count: Int, _ log: ConsoleLog) throws {
        guard ProcessInfo.processInfo.environment["RANK"] == nil else {
            throw ConfigurationError(
                .invalid, at: "--processes", "this process is already one of several: RANK is set.",
                advice: "Leave the option out; the launcher that set RANK decides how many there are.")
        }
        Interruption.outliveReaders()
        Interruption.collect()
        let program = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        let processes = try LocalProcesses(count, program: program, arguments: arguments)
        log.note("\(count) processes: \(processes.identifiers.map(String.init).joined(separator: ", "))")
        let status = processes.wait(signal: Interruption.takeSignal, tell: log.warn)
        guard status == 0 else { throw ExitCode(status) }
    }

    /// This command's arguments without `--processes`.
    private static var arguments: [String] {
        var arguments: [String] = []
        var isValue = false
        for argument in CommandLine.arguments.dropFirst() {
            if isValue {
                isValue = false
            } else if argument == "--processes" {
                isValue = true
            } else if !argument.hasPrefix("--processes=") {
                arguments.append(argument)
            }
        }
        return arguments
    }

    /// Joins the other processes, if there are any, and does the work of a run with them.
    static func run(_ log: ConsoleLog, _ work: (ProcessGroup) throws -> Void) throws {
        let environment = ProcessInfo.processInfo.environment
        LocalProcesses.endWithStarter(environment) { _exit(Status.failed) }
        guard let place = try ProcessPlace(environment) else { return try work(ProcessGroup()) }
        let processes = try place.join()
        processes.beginWatching { [rank = place.rank] verdict in
            log.lose(rank: rank, verdict)
            _exit(Status.failed)
        }
        if processes.isFirst { log.note("training with \(place.size) processes") }
        do {
            try work(processes)
        } catch {
            // Other processes report that they failed because of this one.
            let isLoss = (error as? TorchError)?.code == .processLost
            if !isLoss, !(error is ExitCode) { processes.watch?.tellFailure() }
            processes.watch?.end()
            throw error
        }
    }
}

extension ConsoleLog {
    /// Reports that another process was lost and that this one could not end normally.
    fileprivate func lose(rank: Int, _ verdict: String) {
        let error = TorchError(
            .processLost, at: "rank \(rank)", verdict + ".",
            advice: "This process ends too. Resume the run from its last checkpoint.", settings: [.resumption])
        fail(error)
    }
}
