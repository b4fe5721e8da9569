import ArgumentParser
import Foundation
import Meno
import MenoModels
import MenoTokenizers

struct Chat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Chats with a model.",
        discussion: """
            Without --prompt, it reads your messages line by line. An empty line starts a new conversation. If the model's context is \
            full, the answer ends, and the next line starts a new conversation.
            """)

    @OptionGroup var options: ModelOptions
    @OptionGroup var dialogue: DialogueOptions
    @Option(help: "Answer this prompt and exit.") var prompt: String?
    @Option(help: "The maximum number of tokens in an answer.") var maxNewTokens = 256
    @Option(help: "The sampling temperature. 0 always takes the most probable token.") var temperature = 0.7
    @Option(help: "Sample from this many of the most probable tokens.") var topK: Int?
    @Option(help: "Sample from the smallest set of tokens with this total probability.") var topP = 0.95
    @Option(help: "The random seed for sampling.") var seed: UInt64?
    @Flag(help: "Print the speed of reading the prompt and writing the answer to standard error.") var timings = false

    func validate() throws {
        guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens must be above 0.") }
    }

    func run() throws {
        try reportingErrors {
            let model = try options.load(generates: true)
            let named = try model.template(options.chatTemplate)
            let variables = try dialogue.variables()
            let opening = dialogue.system.map { [ChatMessage(.system, $0)] } ?? []
            for key in DialogueOptions.unread(variables, named, opening + [ChatMessage(.user, prompt ?? "?")]) {
                Console.note("warning: the chat template \(named) does not read \"\(key)\"")
            }
            let template = named.with(variables: variables)
            if let prompt {
                let messages = opening + [ChatMessage(.user, prompt)]
                let room = try model.requireRoom(after: messages, template: template)
                _ = try answer(messages, model, template, room: room)
                return
            }
            Console.note("Chatting with \(model.name). An empty line starts a new conversation, Ctrl-D quits.")
            try converse(model, template, opening)
        }
    }

    private func converse(_ model: LoadedModel, _ template: ChatTemplate, _ opening: [ChatMessage]) throws {
        let context = "the model's context of \(model.contextLength) tokens"
        var messages = opening
        while let line = prompted() {
            guard !line.allSatisfy(\.isWhitespace) else {
                messages = opening
                continue
            }
            let question = ChatMessage(.user, line)
            var room = try model.room(after: messages + [question], template: template)
            if room < 1, messages.count > opening.count {
                Console.note("(\(context) is full: starting a new conversation)")
                messages = opening
                room = try model.room(after: messages + [question], template: template)
            }
            guard room > 0 else {
                Console.note(
                    "(too long: it has \(model.contextLength - room) tokens, and does not fit into \(context))")
                continue
            }
            messages.append(question)
            let answer = try answer(messages, model, template, room: room)
            messages.append(ChatMessage(.assistant, answer.text))
            // Conversations cannot continue after an answer that was cut off.
            if answer.isCut { messages = opening }
        }
    }

    private func prompted() -> String? {
        Console.prompt()
        return readLine()
    }

    /// - Parameter room: tokens left in the model's context.
    /// - Returns: the answer, and whether the context filled up before its end.
    private func answer(
        _ messages: [ChatMessage], _ model: LoadedModel, _ template: ChatTemplate, room: Int
    ) throws -> (text: String, isCut: Bool) {
        let sampling = Sampling(temperature: temperature, topK: topK, topP: topP, seed: seed)
        let (answer, speed) = try model.timedAnswer(
            messages, template: template, sampling: sampling, maxNewTokens: min(maxNewTokens, room)
        ) {
            try Console.result($0)
            return true
        }
        try Console.result("\n")
        if timings { Console.note(speed.description) }
        let isCut = answer.end == .length && answer.tokens == room
        if isCut {
            Console.note("(the model's context of \(model.contextLength) tokens is full: the answer ends here)")
        }
        return (answer.text, isCut)
    }
}
