import ArgumentParser

@main
struct Meno: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meno", abstract: "Fine-tunes causal language models.", subcommands: [Tokenize.self, Inspect.self])
}
