public import ArgumentParser
import Foundation
public import MenoConfiguration
import MenoMonitor
import MenoReporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Writes report.html and the charts of a run, also of one that goes on or broke off.",
        discussion: "Reads runs of Meno, and the trainer_state.json of Hugging Face's Trainer.")

    @Argument(help: ArgumentHelp("The folder of a run, or a trainer_state.json.", valueName: "run"))
    var path: String
    @Option(help: "Where to write; the run's training_progress unless given.") var output: String?
    @Option(help: "auto, ja or en.") var language: RunConfiguration.Reporting.Language?
    @Option(help: "A RUN.yaml whose monitor's thresholds are taken instead of the run's.") var config: String?

    func run() throws {
        try reportingErrors {
            let recorded = try RecordedRun(path, configuration: config)
            let record = try RunRecord(recorded.url, thresholds: recorded.thresholds)
            let language = language ?? recorded.configuration?.report.language ?? .automatic
            let page = try Report(record, title: recorded.title, language: language.chosen)
                .write(to: output.map { URL(filePath: $0) } ?? recorded.reportFolder)
            print(page.path)
        }
    }
}

/// A run on the disk, with the configuration that it was made by, where it has one.
struct RecordedRun {
    let url: URL
    let configuration: RunConfiguration?

    /// - Throws: ``ConfigurationError`` where nothing is there, or the given configuration cannot be read.
    init(_ path: String, configuration named: String?) throws {
        url = URL(filePath: path).standardizedFileURL
        guard FileManager.default.fileExists(atPath: path) else {
            throw ConfigurationError(.notFound, place: path, "there is no such run.")
        }
        if let named {
            configuration = try RunConfiguration.read(URL(filePath: named), overrides: [])
        } else {
            do {
                configuration = try RunConfiguration.read(url.appending(path: "run.yaml"), overrides: [])
            } catch let error as ConfigurationError {
                configuration = nil
                // One that an older version wrote may have keys that are unknown now: the run can be told without it.
                if error.code != .notFound { ConsoleLog().warn("the default thresholds are taken: \(error)") }
            }
        }
    }

    var title: String { configuration?.runName ?? (isFolder ? url : url.deletingLastPathComponent()).lastPathComponent }

    /// What the monitor judges the run by: as the run itself did.
    var thresholds: MonitorConfiguration {
        var thresholds = configuration?.monitor.thresholds ?? MonitorConfiguration()
        // The start event tells the interval, and counts. A metrics.jsonl has none.
        if let configuration, configuration.training.loggingStrategy == .steps {
            thresholds.loggingSteps = configuration.training.loggingSteps
        }
        return thresholds
    }

    /// Beside what the run recorded.
    var reportFolder: URL {
        guard isFolder else { return url.deletingLastPathComponent() }
        let progress = url.appending(path: "training_progress")
        return FileManager.default.fileExists(atPath: progress.path) ? progress : url
    }

    private var isFolder: Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
    }
}

extension RunConfiguration.Reporting.Language: ExpressibleByArgument {}
