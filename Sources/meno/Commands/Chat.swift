import ArgumentParser
import Foundation
import MenoModels
import MenoTokenizers

struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talks with a model.",
        discussion: "Without --prompt it reads line by line; an empty line begins anew.")

    @OptionGroup var options: ModelOptions
    @OptionGroup var dialogue: DialogueOptions
    @Option(help: "Answer this and end.") var prompt: String?
    @Option(help: "Tokens of the longest answer.") var maxNewTokens = 256
    @Option(help: "0 takes the most probable token.") var temperature = 0.7
    @Option(help: "Draw from this many of the most probable tokens.") var topK: Int?
    @Option(help: "Draw from the fewest tokens that together have this probability.") var topP = 0.95
    @Option(help: "Seeds the draws.") var seed: UInt64?

    func validate() throws {
        guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens must be above 0.") }
    }

    func run() throws {
        try reportingErrors {
            let model = try options.load()
            let named = try ChatTemplate.named(options.chatTemplate, for: model.tokenizer)
            let variables = try dialogue.variables()
            let opening = dialogue.system.map { [ChatMessage(.system, $0)] } ?? []
            for key in DialogueOptions.unread(variables, named, opening + [ChatMessage(.user, prompt ?? "?")]) {
                Console.note("warning: the chat template \(named) does not read \"\(key)\"")
            }
            let template = named.with(variables: variables)
            if let prompt {
                _ = try answer(opening + [ChatMessage(.user, prompt)], model, template)
                return
            }
            var messages = opening
            Console.note("\(model.name) is listening; an empty line begins anew, Ctrl-D ends.")
            while let line = prompted() {
                guard !line.allSatisfy(\.isWhitespace) else {
                    messages = opening
                    continue
                }
                messages.append(ChatMessage(.user, line))
                messages.append(ChatMessage(.assistant, try answer(messages, model, template)))
            }
        }
    }

    private func prompted() -> String? {
        Console.prompt()
        return readLine()
    }

    private func answer(_ messages: [ChatMessage], _ model: LoadedModel, _ template: ChatTemplate) throws -> String {
        let sampling = Sampling(temperature: temperature, topK: topK, topP: topP, seed: seed)
        let answer = try model.answer(messages, template: template, sampling: sampling, maxNewTokens: maxNewTokens) {
            try Console.result($0)
            return true
        }
        try Console.result("\n")
        return answer.text
    }
}
