import ArgumentParser
import Meno

@main
struct MenoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meno", abstract: "Fine-tunes causal language models.", version: MenoRuntime.version,
        subcommands: [
            Demo.self, Init.self, Train.self, Plan.self, Evaluate.self, Export.self, Chat.self, Tokenize.self,
            Inspect.self,
            Models.self,
            MonitorCommand.self, ReportCommand.self, Dashboard.self, Track.self, Keys.self, Doctor.self,
        ])

    static func main() async {
        MenoRuntime.prepare()
        await main(nil)
        do {
            try reportingErrors { try Console.finishResult() }
        } catch {
            exit(withError: error)
        }
    }
}
