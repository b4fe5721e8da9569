import ArgumentParser
import Foundation
import Meno
import Logging
import MenoConfiguration
import MenoDashboard
import MenoMonitor
import MenoReporting

struct Dashboard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves a live page that shows runs while they train.",
        discussion:
            "Only this machine can open the page. It has buttons that stop a run or save a checkpoint. /metrics exports the latest "
            + "numbers for Prometheus. Press Ctrl-C to stop the server.")

    @Argument(
        help: ArgumentHelp("The folder of a run, or a folder of several runs.", valueName: "folder"),
        completion: .directory)
    var path: String
    @Option(help: "The port to listen on. 0 chooses a free one.") var port = 6060
    @Option(help: "auto, ja or en.") var language = RunConfiguration.Reporting.Language.automatic

    @Flag(help: "Hide the buttons that stop a run or save a checkpoint.") var readOnly = false

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535.") }
    }

    func run() async throws {
        try await reportingErrors {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
                throw ConfigurationError(.notFound, at: path, "there is no such folder.")
            }
            var logger = Logger(label: "meno.dashboard")
            logger.logLevel = .error
            let server = DashboardServer(
                URL(filePath: path), port: port, language: language.chosen, logger: logger,
                isReadOnly: readOnly, isRunning: { RunLock.isHeld($0) },
                thresholds: { (try? RecordedRun($0.path, configuration: nil).thresholds) ?? MonitorConfiguration() })
            do {
                // The page is available even if its address cannot be printed.
                try await server.run { try? Console.result("\($0)\n") }
            } catch {
                throw ConfigurationError(
                    .invalid, at: "port \(port)", "the page cannot be served on this port (\(error)).",
                    advice: "Another dashboard may be running; try another --port, or 0.")
            }
        }
    }
}
