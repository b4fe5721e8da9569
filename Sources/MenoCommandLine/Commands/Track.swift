import ArgumentParser
import Foundation
import Meno

struct Track: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends a run that is over to an MLflow server.",
        discussion:
            "The server is MLFLOW_TRACKING_URI of the environment. It gets what it does not have yet: all of a run that was not "
            + "sent while it trained, or the rest of one whose server was not there. `report_to: mlflow` sends a run while it trains."
    )

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var path: String

    func run() throws {
        try reportingErrors {
            let log = ConsoleLog()
            try sendToMLflow(try RecordedRun(path, configuration: nil), log: log)
        }
    }
}
