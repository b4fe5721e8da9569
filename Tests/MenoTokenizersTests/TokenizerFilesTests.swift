import Foundation
import MenoTesting
import Testing

@testable import MenoTokenizers

/// What is saved beside a trained model gives the tokens and dialogues that it was trained on.
@Suite struct TokenizerFilesTests {
    private let folder = try! TemporaryFolder()

    private func write(_ files: TokenizerFiles, to name: String = "saved") throws -> URL {
        let saved = folder.url.appending(path: name)
        try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
        for (name, data) in files.contents { try data.write(to: saved.appending(path: name)) }
        return saved
    }

    private func requireSame(_ a: Tokenizer, _ b: Tokenizer, texts: [String]) {
        for text in texts {
            let expected = a.encode(text, addSpecialTokens: true)
            let found = b.encode(text, addSpecialTokens: true)
            #expect(found.ids == expected.ids && found.byteRanges == expected.byteRanges, "\(text.debugDescription)")
            #expect(b.decode(found.ids) == a.decode(found.ids), "\(text.debugDescription)")
        }
        #expect(a.bosID == b.bosID && a.eosID == b.eosID && a.padID == b.padID && a.unknownID == b.unknownID)
        #expect(a.addsBOS == b.addsBOS && a.specialTokenIDs == b.specialTokenIDs)
    }

    /// Gemma's 262,144 tokens would take long in a debug build: `Tests/Reference/check_saved_tokenizers.py` compares both
    /// vocabularies with Hugging Face's ids.
    @Test(.enabled(if: TokenizerTests.present.contains(TokenizerTests.files[1]), "the model is not in the cache"))
    func aRealVocabularyIsWrittenWhole() throws {
        let file = TokenizerTests.files[1]
        let url = try #require(Fixtures.model(file))
        let tokenizer = try Tokenizer.load(url)
        let rows = tokenizer.vocabularySize
        let saved = try Tokenizer.load(
            write(TokenizerFiles(of: url, tokenizer: tokenizer, template: nil, rows: rows)))
        #expect(saved.vocabularySize == rows && saved.chatTemplateSource == tokenizer.chatTemplateSource)
        struct Values: Decodable {
            struct Text: Decodable { var text: String }
            var texts: [Text]
        }
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: Fixtures.url("tokenizers/\(file).json")))
        requireSame(tokenizer, saved, texts: values.texts.map(\.text))
    }

    private static let texts = [
        "", "ab", "abab ba", " ab  12 3", "ab\n\nab", "<s>ab</s>", "aé漢b", "don't ab12345", "e\u{301}", "a<x>b",
        "[PAD14]", "\"\\",
    ]

    /// Every way to cut texts that is read from GGUF files.
    @Test(arguments: ["default", "gpt-2", "smollm", "llama-bpe", "qwen2"])
    func byteLevelVocabulariesAreWritten(_ pre: String) throws {
        let bytes = ByteCharacters.all.map { String(Character($0)) }
        let tokens = bytes + ["ab", "Ġa", "Ġab", "12", "<s>", "</s>", "<x>", "ab"]
        var types = tokens.map { _ in Int32(1) }
        for (index, type) in [(260, 3), (261, 3), (262, 4)] { types[index] = Int32(type) }
        var file = GGUFBytes()
        file.add("tokenizer.ggml.model", "gpt2")
        file.add("tokenizer.ggml.pre", pre)
        file.add("tokenizer.ggml.tokens", tokens)
        file.add("tokenizer.ggml.token_type", types)
        file.add("tokenizer.ggml.merges", ["a b", "Ġ a", "Ġa b", "1 2"])
        file.add("tokenizer.ggml.bos_token_id", 260)
        file.add("tokenizer.ggml.eos_token_id", 261)
        file.add("tokenizer.ggml.add_bos_token", pre == "llama-bpe")
        try check(file, rows: tokens.count + 5)
    }

    @Test(arguments: [false, true]) func sentencePieceVocabulariesAreWritten(addsSpace: Bool) throws {
        let bytes = (0..<256).map { "<0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) + ">" }
        let tokens =
            ["<pad>", "</s>", "<s>", "<unk>"] + bytes + [
                "▁", "a", "b", "ab", "▁a", "▁ab", "é", "  ", "\n\n", "<x>", "",
            ]
        var types = tokens.map { $0.hasPrefix("<0x") ? Int32(6) : 1 }
        for index in 0..<3 { types[index] = 3 }
        types[3] = 2
        for index in tokens.count - 4..<tokens.count - 1 { types[index] = 4 }
        var file = GGUFBytes()
        file.add("tokenizer.ggml.model", "llama")
        file.add("tokenizer.ggml.tokens", tokens)
        file.add("tokenizer.ggml.token_type", types)
        file.add("tokenizer.ggml.scores", tokens.indices.map { -Float($0) })
        for (key, id) in [("bos", 2), ("eos", 1), ("padding", 0), ("unknown", 3)] {
            file.add("tokenizer.ggml.\(key)_token_id", id)
        }
        file.add("tokenizer.ggml.add_space_prefix", addsSpace)
        file.add("general.architecture", "gemma3")
        file.add("gemma3.context_length", 512)
        let configuration = try check(file, rows: tokens.count + 3)
        #expect(configuration.contains("\"model_max_length\": 512"))
    }

    @discardableResult
    private func check(_ file: GGUFBytes, rows: Int) throws -> String {
        let url = folder.url.appending(path: "model.gguf")
        try file.data.write(to: url)
        let tokenizer = try Tokenizer.load(url)
        let saved = try write(TokenizerFiles(of: url, tokenizer: tokenizer, template: .chatML, rows: rows))
        let again = try Tokenizer.load(saved)
        // As many tokens as the embedding has rows, so that nobody resizes it.
        #expect(again.vocabularySize == rows)
        requireSame(tokenizer, again, texts: Self.texts)
        #expect(again.chatTemplateSource == ChatTemplate.chatML.source)
        // Tokens beyond the embedding's rows are left out.
        let cut = try Tokenizer.load(
            write(TokenizerFiles(of: url, tokenizer: tokenizer, template: nil, rows: 258), to: "cut"))
        #expect(cut.vocabularySize == 258 && cut.encode("ab").ids.allSatisfy { $0 < 258 })
        return try String(contentsOf: saved.appending(path: "tokenizer_config.json"), encoding: .utf8)
    }

    /// A folder's files are kept as they are, but for the template, which is that of the training.
    @Test func aFoldersFilesAreKept() throws {
        let source = folder.url.appending(path: "source")
        try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
        let tokenizerJSON =
            #"{"added_tokens":[{"id":2,"content":"<s>","special":true}],"model":{"vocab":{"a":0,"b":1},"merges":[]}}"#
        let files = [
            "tokenizer.json": tokenizerJSON, "special_tokens_map.json": #"{"bos_token": "<s>"}"#,
            "added_tokens.json": #"{"<s>": 2}"#, "chat_template.json": #"{"chat_template": "old"}"#,
            "tokenizer_config.json": #"{"bos_token": {"content": "<s>"}, "chat_template": "older", "#
                + #""model_max_length": 1000000000000000019884624838656}"#,
        ]
        for (name, text) in files { try Data(text.utf8).write(to: source.appending(path: name)) }
        let tokenizer = try Tokenizer.load(source)
        #expect(tokenizer.chatTemplateSource == "old")
        let template = ChatTemplate.jinja(
            try JinjaChatTemplate("{{ messages[0].content }}", name: "mine.jinja", tokenizer: tokenizer))
        let saved = try TokenizerFiles(of: source, tokenizer: tokenizer, template: template, rows: 3).contents
        let text = saved.mapValues { String(decoding: $0, as: UTF8.self) }
        #expect(text["tokenizer.json"] == tokenizerJSON && text["chat_template.jinja"] == "{{ messages[0].content }}")
        #expect(
            text["special_tokens_map.json"] == files["special_tokens_map.json"] && text["chat_template.json"] == nil)
        let configuration = try #require(text["tokenizer_config.json"])
        #expect(!configuration.contains("chat_template") && configuration.contains("PreTrainedTokenizerFast"))
        #expect(
            configuration.contains("1000000000000000019884624838656") && configuration.contains(#"{"content": "<s>"}"#))
        // Trained on texts alone, it keeps the template that it had.
        let texts = try TokenizerFiles(of: source, tokenizer: tokenizer, template: nil, rows: 3).contents
        #expect(texts["chat_template.jinja"] == Data("old".utf8))
    }

    /// `chat_template.jinja` of a built-in template writes what that does.
    @Test(arguments: ChatTemplate.builtIn.map(\.name)) func builtInTemplatesAreWrittenInJinja(_ name: String) throws {
        let bytes = ByteCharacters.all.map { String(Character($0)) }
        let markers = [
            "<bos>", "<start_of_turn>", "<end_of_turn>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
        ]
        let tokens = bytes + markers + ["<|im_start|>", "<|im_end|>"]
        var file = GGUFBytes()
        file.add("tokenizer.ggml.model", "gpt2")
        file.add("tokenizer.ggml.tokens", tokens)
        file.add("tokenizer.ggml.token_type", tokens.indices.map { Int32($0 < 256 ? 1 : 3) })
        file.add("tokenizer.ggml.merges", [String]())
        file.add("tokenizer.ggml.bos_token_id", 256)
        let url = folder.url.appending(path: "model.gguf")
        try file.data.write(to: url)
        let tokenizer = try Tokenizer.load(url)
        let template = try ChatTemplate.named(name, for: tokenizer)
        let saved = ChatTemplate.jinja(
            try JinjaChatTemplate(template.source, name: "chat_template.jinja", tokenizer: tokenizer))
        let (user, assistant) = (ChatMessage(.user, " \u{3000}問い? \n"), ChatMessage(.assistant, "\tanswer\n\n"))
        let system = ChatMessage(.system, " Be brief.\n")
        let conversations = [
            [user], [user, assistant], [system, user, assistant, user], [system], [system, assistant],
            [assistant, user],
            [user, system, assistant], [user, ChatMessage(.assistant, "")],
        ]
        var written = 0
        for messages in conversations {
            for opens in [false, true] {
                // What the built-in one refuses, as Gemma's does turns that do not alternate, the saved one refuses too.
                let ids = [template, saved].map { template in
                    (try? template.render(messages, addGenerationPrompt: opens)).map { tokenizer.encode($0).ids }
                }
                #expect(ids[1] == ids[0], "\(messages)")
                if ids[0] != nil { written += 1 }
            }
        }
        #expect(written >= 8)
    }
}

/// A GGUF file without tensors.
private struct GGUFBytes {
    private var entries = Data()
    private var count: UInt64 = 0

    var data: Data { Data("GGUF".utf8) + Self.bytes(UInt32(3)) + Self.bytes(UInt64(0)) + Self.bytes(count) + entries }

    private static func bytes<Number>(_ number: Number) -> Data { withUnsafeBytes(of: number) { Data($0) } }
    private static func text(_ text: String) -> Data { bytes(UInt64(text.utf8.count)) + Data(text.utf8) }

    private mutating func add(_ key: String, type: UInt32, _ value: Data) {
        entries += Self.text(key) + Self.bytes(type) + value
        count += 1
    }

    private mutating func add(_ key: String, elements type: UInt32, _ values: [Data]) {
        add(key, type: 9, Self.bytes(type) + Self.bytes(UInt64(values.count)) + values.reduce(Data(), +))
    }

    mutating func add(_ key: String, _ value: String) { add(key, type: 8, Self.text(value)) }
    mutating func add(_ key: String, _ value: Int) { add(key, type: 4, Self.bytes(UInt32(value))) }
    mutating func add(_ key: String, _ value: Bool) { add(key, type: 7, Data([value ? 1 : 0])) }
    mutating func add(_ key: String, _ values: [String]) { add(key, elements: 8, values.map(Self.text)) }
    mutating func add(_ key: String, _ values: [Int32]) { add(key, elements: 5, values.map(Self.bytes)) }
    mutating func add(_ key: String, _ values: [Float]) { add(key, elements: 6, values.map(Self.bytes)) }
}
