import MenoJinja
import Testing

@testable import MenoTokenizers

@Suite struct BuiltInTemplateTests {
    /// What is written without running the template, and where the answers are in it.
    @Test(arguments: ChatTemplate.builtIn.map(\.name)) func writesWhatTheTemplateDoes(_ name: String) throws {
        let texts = ["", "  a \n", "\u{2003}b\u{A0}", "\u{1C}c\u{200B}", "é<|im_end|>", "d\r\n\r\n"]
        let roles: [ChatMessage.Role] = [.system, .user, .assistant, .tool, .init(rawValue: "")]
        let builtIn = try #require(ChatTemplate.builtIn.first { $0.name == name }?.template.builtIn)
        var generator = Generator(state: 1)
        var written = 0
        for round in 0..<600 {
            let messages = (0..<Int.random(in: 1...5, using: &generator)).map { place in
                // Half of the dialogues alternate, which Gemma asks for.
                let role: ChatMessage.Role =
                    round % 2 == 0 ? roles.randomElement(using: &generator)! : place % 2 == 0 ? .user : .assistant
                return ChatMessage(
                    role, texts.randomElement(using: &generator)! + texts.randomElement(using: &generator)!)
            }
            for opens in [false, true] {
                guard let ours = builtIn.written(messages, addGenerationPrompt: opens) else { continue }
                var values = ["bos_token": JinjaValue.string("")]
                for (name, value) in JinjaChatTemplate.variables(messages, opens, habits: .none) {
                    values[name] = value
                }
                let run = try builtIn.template.render(values)
                #expect(Array(ours.text.utf8) == Array(run.text.utf8), "\(messages)")
                #expect(ours.completions == run.generation, "\(messages)")
                written += 1
            }
        }
        #expect(written >= 600)
    }

    @Test func leavesOtherTurnsToTheTemplate() throws {
        let builtIn = try #require(ChatTemplate.gemma.builtIn)
        let asked = ChatMessage(.user, "?")
        for messages in [[], [asked, asked], [ChatMessage(.assistant, "!")], [ChatMessage(.user, "", form: .null)]] {
            #expect(builtIn.written(messages, addGenerationPrompt: false) == nil)
        }
    }
}

struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 32
    }
}
