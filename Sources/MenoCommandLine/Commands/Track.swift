import ArgumentParser
import Foundation
import Meno

struct Track: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends a finished run to an MLflow server.",
        discussion:
            "MLFLOW_TRACKING_URI names the server. Only values that the server does not have yet are sent, so you can use it for a run "
            + "that was not reported during training, or to complete one. `report_to: mlflow` sends a run while it trains."
    )

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var path: String

    func run() throws {
        try reportingErrors {
            let log = ConsoleLog()
            try sendToMLflow(try RecordedRun(path, configuration: nil), log: log)
        }
    }
}
