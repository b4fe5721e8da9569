import Foundation
import MenoFormats
import MenoTesting
import MenoTokenizers
import Testing

@Suite struct ChatTemplateTests {
    private let messages: [ChatMessage] = [
        .init(.system, "Be brief."), .init(.user, " Hi "), .init(.assistant, "Hello?"), .init(.user, "Why?"),
    ]

    @Test func gemmaHasNoSystemTurn() throws {
        let chat = try ChatTemplate.gemma.render(messages, addGenerationPrompt: true)
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
        #expect(try completions(chat) == ["Hello?<end_of_turn>"])
        #expect(chat.needsBOS)
    }

    /// As Gemma's own template: text around turns goes where Python calls it white space, but not around a system message.
    @Test func gemmaTrimsAsItsOwnTemplate() throws {
        let source = try String(contentsOf: Fixtures.url("jinja/templates/gemma3.jinja"), encoding: .utf8)
        let tokenizer = try tokenizer()
        let own = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "gemma3.jinja", tokenizer: tokenizer))
        let turns: [ChatMessage] = [
            .init(.user, "\u{1C}\u{3000} 勇気とは \n"), .init(.assistant, "\u{200B}君は？\u{85}"), .init(.user, ""),
        ]
        for system in [nil, "Be brief.", " 短く。\n"] as [String?] {
            let messages = (system.map { [ChatMessage(.system, $0)] } ?? []) + turns
            let expected = try own.render(messages, addGenerationPrompt: true).text
            let text = try ChatTemplate.gemma.render(messages, addGenerationPrompt: true).text
            #expect(expected.hasSuffix(text) && !expected.dropLast(text.count).contains("\n"), "\(expected)")
        }
    }

    @Test func llama3() throws {
        let chat = try ChatTemplate.llama3.render(Array(messages[1...2]))
        #expect(
            chat.text == "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nHello?<|eot_id|>")
        #expect(try completions(chat) == ["Hello?<|eot_id|>"])
        #expect(chat.needsBOS)
    }

    @Test func chatMLKeepsTextAsItIs() throws {
        let chat = try ChatTemplate.chatML.render(messages)
        #expect(chat.text.hasPrefix("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n"))
        #expect(try completions(chat) == ["Hello?<|im_end|>"])
        #expect(!chat.needsBOS)
    }

    private static let chatML = """
        {% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
        """

    private func tokenizer() throws -> Tokenizer {
        try Tokenizer.load(Fixtures.url("tokenizers/families/llama2.tokenizer.json"))
    }

    @Test func aTemplateInJinjaGivesTheTextAndTheAnswers() throws {
        let template = ChatTemplate.jinja(
            try JinjaChatTemplate(Self.chatML, name: "test.jinja", tokenizer: tokenizer()))
        for opens in [false, true] {
            let (ours, built) = try (
                template.render(messages, addGenerationPrompt: opens),
                ChatTemplate.chatML.render(messages, addGenerationPrompt: opens)
            )
            #expect(ours.text == built.text)
            if !opens { #expect(ours.completions == built.completions) }
        }
        let marked = Self.chatML.replacing(
            "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}",
            with: "<{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
                + "{% else %}{{ m.content }}{% endif %}>")
        let chat = try ChatTemplate.jinja(JinjaChatTemplate(marked, name: "m.jinja", tokenizer: tokenizer()))
            .render(messages)
        #expect(try chat.text == "<Be brief.>< Hi ><Hello?><Why?>" && completions(chat) == ["Hello?"])
    }

    @Test func aTemplateThatRefusesOrForgetsIsAnError() throws {
        let refusing = try JinjaChatTemplate(
            "{{ raise_exception('no system turns') }}", name: "r.jinja", tokenizer: tokenizer())
        let error = #expect(throws: TokenizerError.self) { try ChatTemplate.jinja(refusing).render(messages) }
        #expect(error?.code == .refused && error?.message.contains("no system turns") == true)
        // Only the last turn is shown: which part of the whole is an answer cannot be known.
        let forgetful = try JinjaChatTemplate("{{ messages[-1].content }}", name: "f.jinja", tokenizer: tokenizer())
        let chat = try ChatTemplate.jinja(forgetful).render(messages)
        #expect(chat.text == "Why?" && chat.completions == nil)
        let broken = #expect(throws: TokenizerError.self) {
            try JinjaChatTemplate("{% for %}", name: "b.jinja", tokenizer: tokenizer())
        }
        #expect(broken?.message.contains("line 1") == true)
        #expect(throws: TokenizerError.self) { try ChatTemplate.named("/nowhere/x.jinja", for: tokenizer()) }
        #expect(throws: TokenizerError.self) { try ChatTemplate.named("tokenizer", for: tokenizer()) }
    }

    /// Templates that write a conversation and its beginning differently.
    @Test(arguments: [
        // Phi-3: EOS at the very end.
        (
            "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
                + "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ '</s>' }}{% endif %}",
            ["Hello?<|end|>", "So.<|end|>\n</s>"]
        ),
        // Qwen3: thoughts in the last answer only.
        (
            "{% for m in messages %}{{ '<' + m.role + '>' }}{% if loop.last and m.role == 'assistant' %}"
                + "{{ '<think></think>' }}{% endif %}{{ m.content + '<|end|>\n' }}{% endfor %}"
                + "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}",
            ["Hello?<|end|>", "<think></think>So.<|end|>"]
        ),
        // Mistral: the system message in the last question.
        (
            "{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.last %}{{ messages[0].content }}{% endif %}"
                + "{{ m.content }}[/INST]{% elif m.role == 'assistant' %} {{ m.content + '</s>' }}{% endif %}{% endfor %}",
            [" Hello?</s>", " So.</s>"]
        ),
        // DeepSeek-R1: an opening with thoughts, which answers are written without.
        (
            "{% for m in messages %}{{ '<' + m.role + '>' + m.content.split('</think>')[-1] }}"
                + "{% if m.role == 'assistant' %}{{ '</s>' }}{% endif %}{% endfor %}"
                + "{% if add_generation_prompt %}{{ '<assistant><think>\n' }}{% endif %}",
            ["Hello?</s>", "So.</s>"]
        ),
    ]) func answersAreFoundInTheWhole(_ source: String, _ expected: [String]) throws {
        let template = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "t.jinja", tokenizer: tokenizer()))
        #expect(try completions(template.render(messages + [.init(.assistant, "So.")])) == expected)
    }

    @Test func autoIsTheModelsOwnTemplateWhereItBringsOne() throws {
        let folder = try TemporaryFolder()
        let tokens = ["<|start_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"].enumerated()
            .map { #"{"id":\#($0 + 1),"content":"\#($1)","special":true}"# }
        let added = tokens.joined(separator: ",")
        let json = #"{"added_tokens":[\#(added)],"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#
        try Data(json.utf8).write(to: folder.url.appending(path: "tokenizer.json"))
        let own = "the model's chat template"
        for (source, expected, former) in [
            (nil, "llama3", "llama3"), (Self.chatML, own, "chatml"), ("{{ '<|start_header_id|>' }}", own, "llama3"),
            ("{{ messages }}", own, own),
        ] {
            if let source { try Data(source.utf8).write(to: folder.url.appending(path: "chat_template.jinja")) }
            let tokenizer = try Tokenizer.load(folder.url)
            #expect(try "\(ChatTemplate.named("auto", for: tokenizer))" == expected)
            // Runs that began before resume with their choice, and with what they stored.
            #expect(try "\(ChatTemplate.formerAutomatic(for: tokenizer))" == former)
            for name in ["auto", "chatml"] {
                let template = try ChatTemplate.named(name, for: tokenizer)
                #expect(try ChatTemplate.stored(template.source, name: "stored", for: tokenizer) == template)
            }
        }
    }

    /// The text that is saved for other programs renders as the built-in template does, with BOS where it needs one.
    @Test func builtInTemplatesAreTheJinjaTheyAreSavedAs() throws {
        let orders: [[ChatMessage]] = [
            messages, Array(messages.dropFirst()), Array(messages[1...2]), [messages[0]], [messages[2], messages[1]],
            [messages[0], messages[0], messages[1]], [messages[1], messages[1]], [.init(.tool, "x"), messages[2]],
            [messages[1], .init(.assistant, "")], [messages[1], .init(.assistant, "", form: .null)],
        ]
        for (name, template) in ChatTemplate.builtIn {
            #expect(!template.source.contains("generation -%}") && !template.source.contains("generation %}"))
            let own = ChatTemplate.jinja(try JinjaChatTemplate(template.source, name: name, tokenizer: tokenizer()))
            for messages in orders {
                for opens in [false, true] {
                    let ours = Result { try template.render(messages, addGenerationPrompt: opens) }
                    let theirs = Result { try own.render(messages, addGenerationPrompt: opens) }
                    switch (ours, theirs) {
                    case (.success(let ours), .success(let theirs)):
                        #expect(ours.text == theirs.text)
                        if !opens { #expect(ours.completions == theirs.completions) }
                    case (.failure(let ours as TokenizerError), .failure(let theirs as TokenizerError)):
                        #expect(ours.message.split(separator: ":").last == theirs.message.split(separator: ":").last)
                    default: Issue.record("\(name): \(ours), \(theirs)")
                    }
                }
            }
        }
    }

    /// Arguments as an object and as its text; results; two calls at once.
    @Test func callsAreWrittenAsTheTemplateTakesThem() throws {
        let object = JSONValue.object([.init("city", .string("東京")), .init("days", .integer(2))])
        let call = { (arguments: JSONValue) in
            JSONValue.object([
                .init("id", .string("abc123xyz")), .init("type", .string("function")),
                .init("function", .object([.init("name", .string("weather")), .init("arguments", arguments)])),
            ])
        }
        let dialogue = { (arguments: JSONValue) in
            [
                ChatMessage(.user, "?"),
                .init(.assistant, "", members: [.init("tool_calls", .array([call(arguments), call(arguments)]))]),
                .init(.tool, "21", members: [.init("tool_call_id", .string("abc123xyz"))]), .init(.assistant, "21 °C"),
            ]
        }
        for name in ["qwen25", "qwen3"] {
            let source = try String(contentsOf: Fixtures.url("jinja/templates/\(name).jinja"), encoding: .utf8)
            let template = ChatTemplate.jinja(try JinjaChatTemplate(source, name: name, tokenizer: tokenizer()))
            let texts = try [object, .string(object.description)].map { try template.render(dialogue($0)).text }
            #expect(texts[0] == texts[1], "\(name)")
            #expect(texts[0].components(separatedBy: #"{"city": "東京", "days": 2}"#).count == 3, "\(name): \(texts[0])")
        }
        // Templates that put texts together need the text.
        let joining =
            "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
            + "{{ '<call>' + c.function.name + ':' + c.function.arguments + '</call>' }}{% endfor %}{% endfor %}"
        let template = ChatTemplate.jinja(try JinjaChatTemplate(joining, name: "joining", tokenizer: tokenizer()))
        for arguments in [object, .string(object.description)] {
            #expect(
                try template.render(dialogue(arguments)).text.contains(
                    #"<call>weather:{"city": "東京", "days": 2}</call>"#))
        }
    }

    @Test func partsAreGivenToTemplatesThatTakeThem() throws {
        let parts = [" a ", " b "].map {
            JSONValue.object([.init("type", .string("text")), .init("text", .string($0))])
        }
        let messages = [ChatMessage(.user, " a  b ", form: .parts(parts))]
        let gemma = try String(contentsOf: Fixtures.url("jinja/templates/gemma3.jinja"), encoding: .utf8)
        for (source, expected) in [(gemma, "user\nab<end_of_turn>"), (Self.chatML, "user\n a  b <|im_end|>")] {
            let template = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "t", tokenizer: tokenizer()))
            #expect(try template.render(messages).text.contains(expected))
        }
    }

    /// Everything that a record says reaches the template, and no name of Jinja itself is replaced.
    @Test func membersAndVariablesReachTheTemplate() throws {
        let source = """
            {% for m in messages %}{{ m.name }}:{{ m.reasoning_content }};{% endfor %}{{ documents[0].title }}\
            {{ enable_thinking }}{% for i in range(2) %}{{ i }}{% endfor %}{{ tools | tojson }}
            """
        let template = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "t", tokenizer: tokenizer()))
        let message = ChatMessage(
            .user, "?", members: [.init("name", .string("Ann")), .init("reasoning_content", .string("Hm"))])
        let tool = JSONValue.object([.init("z", .integer(1)), .init("a", .number(.nan))])
        let variables: [JSONValue.Member] = [
            .init("documents", .array([.object([.init("title", .string("Meno"))])])), .init("range", .integer(1)),
            .init("enable_thinking", .boolean(false)), .init("tools", .array([tool])),
        ]
        let text = #"Ann:Hm;MenoFalse01[{"z": 1, "a": NaN}]"#
        #expect(try template.render([message], variables: variables).text == text)
        #expect(try template.with(variables: variables).render([message]).text == text)
        let changed = try template.with(variables: variables).render(
            [message], variables: [.init("enable_thinking", .boolean(true))])
        #expect(changed.text == text.replacing("False", with: "True"))
    }

    @Test func theDateIsThatOfTheRun() throws {
        let source = "{{ strftime_now('%d %b %Y') }}|{% for m in messages %}{{ m.content }}{% endfor %}"
        let template = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "t", tokenizer: tokenizer()))
        let date = try #require(
            Calendar(identifier: .gregorian).date(from: DateComponents(year: 2025, month: 2, day: 3)))
        #expect(template.writesDate && !ChatTemplate.gemma.writesDate)
        #expect(try template.with(date: date).render([.init(.user, "?")]).text == "03 Feb 2025|?")
        #expect(try template.with(date: date).with(variables: []).render([.init(.user, "?")]).text == "03 Feb 2025|?")
    }

    private func completions(_ chat: ChatText) throws -> [String] {
        let bytes = Array(chat.text.utf8)
        return try #require(chat.completions).map { String(decoding: bytes[$0], as: UTF8.self) }
    }
}
