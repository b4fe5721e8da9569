import MenoTokenizers
import Testing

@Suite struct ChatTemplateTests {
    private let messages: [ChatMessage] = [
        .init(.system, "Be brief."), .init(.user, " Hi "), .init(.assistant, "Hello?"), .init(.user, "Why?"),
    ]

    @Test func gemmaHasNoSystemTurn() {
        let chat = ChatTemplate.gemma.render(messages, addGenerationPrompt: true)
        #expect(
            chat.text == """
                <start_of_turn>user
                Be brief.

                 Hi<end_of_turn>
                <start_of_turn>model
                Hello?<end_of_turn>
                <start_of_turn>user
                Why?<end_of_turn>
                <start_of_turn>model

                """)
        #expect(completions(chat) == ["Hello?<end_of_turn>"])
        #expect(chat.needsBOS)
    }

    @Test func llama3() {
        let chat = ChatTemplate.llama3.render(Array(messages[1...2]))
        #expect(
            chat.text == "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nHello?<|eot_id|>")
        #expect(completions(chat) == ["Hello?<|eot_id|>"])
        #expect(chat.needsBOS)
    }

    @Test func chatMLKeepsTextAsItIs() {
        let chat = ChatTemplate.chatML.render(messages)
        #expect(chat.text.hasPrefix("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n"))
        #expect(completions(chat) == ["Hello?<|im_end|>"])
        #expect(!chat.needsBOS)
    }

    private func completions(_ chat: ChatText) -> [String] {
        let bytes = Array(chat.text.utf8)
        return chat.completions.map { String(decoding: bytes[$0], as: UTF8.self) }
    }
}
