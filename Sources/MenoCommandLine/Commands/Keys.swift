import ArgumentParser
import MenoConfiguration

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Describes every key of RUN.yaml, in Markdown.")

    func run() throws { print(ConfigurationKey.reference, terminator: "") }
}
