public import ArgumentParser
import Foundation
import Meno
public import MenoConfiguration
import MenoReporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Writes report.html and the charts of a run, finished or not.",
        discussion: "Reads Meno's runs and the trainer_state.json of Hugging Face's Trainer.")

    @Argument(
        help: ArgumentHelp("The folder of a run, or a trainer_state.json.", valueName: "run"), completion: .file())
    var path: String
    @Option(help: "Where to write; by default the run's training_progress.", completion: .directory) var output: String?
    @Option(help: "auto, ja or en.") var language: RunConfiguration.Reporting.Language?
    @Option(help: "A RUN.yaml whose monitor thresholds replace those of the run.") var config: String?

    func run() throws {
        try reportingErrors {
            let recorded = try RecordedRun(path, configuration: config)
            recorded.warnOfConfiguration(ConsoleLog())
            var record = try RunRecord(recorded.url, thresholds: recorded.thresholds)
            record.isRunning = RunLock.isHeld(recorded.url)
            let language = language ?? recorded.configuration?.report.language ?? .automatic
            let page = try Report(record, title: recorded.title, language: language.chosen)
                .write(to: output.map { URL(filePath: $0) } ?? recorded.reportFolder)
            print(page.path)
        }
    }
}

extension RunConfiguration.Reporting.Language: ExpressibleByArgument {}
