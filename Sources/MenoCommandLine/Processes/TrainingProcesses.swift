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

/// A command as one of several processes, or as the one that starts them.
enum TrainingProcesses {
    /// Starts processes of this program with the same arguments, and ends as they do.
    static func start(_ count: Int, _ log: ConsoleLog) throws {
        guard ProcessInfo.processInfo.environment["RANK"] == nil else {
            throw ConfigurationError(
                .invalid, at: "--processes", "this process is one of several already: RANK is set.",
                advice: "Leave the option out; whoever set RANK decides how many there are.")
        }
        Interruption.outliveReaders()
        Interruption.collect()
        let program = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        let processes = try LocalProcesses(count, program: program, arguments: arguments)
        log.note("\(count) processes: \(processes.identifiers.map(String.init).joined(separator: ", "))")
        let status = processes.wait(signal: Interruption.takeSignal, tell: log.warn)
        guard status == 0 else { throw ExitCode(status) }
    }

    /// This command's arguments without the number of processes.
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

    /// Meets the others, where this process is one of several, and makes the work of a run with them.
    static func run(_ log: ConsoleLog, _ work: (ProcessGroup) throws -> Void) throws {
        let environment = ProcessInfo.processInfo.environment
        LocalProcesses.endWithStarter(environment) { _exit(Status.failed) }
        guard let place = try ProcessPlace(environment) else { return try work(ProcessGroup()) }
        let processes = try place.join()
        processes.beginWatching { [rank = place.rank] verdict in
            log.lose(rank: rank, verdict)
            _exit(Status.failed)
        }
        if processes.isFirst { log.note("\(place.size) processes train together") }
        do {
            try work(processes)
        } catch {
            // Others that fail because of this one say so.
            let isLoss = (error as? TorchError)?.code == .processLost
            if !isLoss, !(error is ExitCode) { processes.watch?.tellFailure() }
            processes.watch?.end()
            throw error
        }
    }
}

extension ConsoleLog {
    /// Tells that another process is lost, and that this one could not end in order.
    fileprivate func lose(rank: Int, _ verdict: String) {
        let error = TorchError(
            .processLost, at: "rank \(rank)", verdict + ".",
            advice: "This process ends too. Resume the run from its last checkpoint.", settings: [.resumption])
        fail(error)
    }
}
