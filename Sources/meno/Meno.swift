import ArgumentParser
import MenoTensor

@main
struct Meno: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "meno", abstract: "Fine-tunes causal language models.", version: version,
        subcommands: [
            Demo.self, Train.self, Plan.self, Evaluate.self, Export.self, Chat.self, Tokenize.self, Inspect.self, Models.self,
            MonitorCommand.self, ReportCommand.self, Dashboard.self, Keys.self, Doctor.self,
        ])

    static func main() async {
        Torch.limitPrimitiveCaches()
        Torch.keepHostMemory()
        await main(nil)
        do {
            try reportingErrors { try Console.finishResult() }
        } catch {
            exit(withError: error)
        }
    }
}
