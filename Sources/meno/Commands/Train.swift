import ArgumentParser
import Foundation
import MenoConfiguration

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fine-tunes a model as a RUN.yaml says.",
        discussion: "`meno keys` describes every key. Ctrl-C ends the run after its step and writes what it has learnt."
    )

    @Argument(help: "The configuration.") var file: String
    @Option(name: .customLong("set"), help: ArgumentHelp("Overrides a key.", valueName: "key.path=value"))
    var overrides: [String] = []
    @Option(help: "Optimizer steps in all.") var maxSteps: Int?
    @Flag(help: "Replace a finished run in the same folder.") var overwrite = false

    func run() throws {
        try reportingErrors {
            let steps = maxSteps.map { ["training.max_steps=\($0)"] } ?? []
            let configuration = try RunConfiguration.read(URL(filePath: file), overrides: overrides + steps)
            let outcome = try TrainingSession(configuration, overwrites: overwrite).run()
            if outcome.reason == .interrupted { throw ExitCode(Status.interrupted) }
        }
    }
}

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Describes every key of RUN.yaml, in Markdown.")

    func run() throws { print(ConfigurationKey.reference, terminator: "") }
}
