import Foundation
import MenoTesting
import Testing

@testable import MenoTokenizers

/// Files that are broken, and folders as people have them.
@Suite struct TokenizerFileTests {
    private static let files = [bpe, unigram].map { Array($0.utf8) }

    @Test(arguments: files.indices) func mutatedFilesAreReadOrRefused(_ index: Int) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "tokenizer.json")
        var generator = SeededGenerator(seed: 20 + UInt64(index))
        var (read, refused) = (0, 0)
        for _ in 0..<10_000 {
            try Data(mutated(Self.files[index], using: &generator)).write(to: file)
            do {
                let tokenizer = try Tokenizer.load(file)
                let ids = tokenizer.encode("ab 漢<s> x\u{301}  12", addSpecialTokens: true).ids
                #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) })
                _ = tokenizer.decode(ids + [-1, 1 << 30], skipSpecialTokens: true)
                read += 1
            } catch {
                #expect("\(error)".contains("tokenizer.json"), "\(error)")
                refused += 1
            }
        }
        #expect(read > 100 && refused > 1_000)
    }

    @Test(arguments: [
        (#"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#, "WordPiece"),
        (#"{"model":{"type":"BPE","vocab":{}}}"#, "model.vocab"),
        (#"{"model":{"vocab":{"a":4000000000},"merges":[]}}"#, "between 0 and"),
        (#"{"model":{"vocab":{"a":0,"b":1},"merges":["a b"]}}"#, "entry 0"),
        (#"{"model":{"vocab":{"a":0},"merges":[],"unk_token":"<unk>"}}"#, "<unk>"),
        (#"{"normalizer":{"type":"Kana"},"model":{"vocab":{"a":0},"merges":[]}}"#, "Kana"),
        (
            #"{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"},"model":{"vocab":{"a":0}}}"#,
            "(a"
        ),
        (#"{"added_tokens":[{"id":1}],"model":{"vocab":{"a":0},"merges":[]}}"#, "content"),
        ("", "end of the file"),
        ("[1]", "an object"),
    ]) func errorsNameThePlace(_ text: String, _ place: String) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "tokenizer.json")
        try Data(text.utf8).write(to: file)
        let error = #expect(throws: (any Error).self) { try Tokenizer.load(file) }
        #expect("\(error!)".contains(place), "\(error!)")
        #expect("\(error!)".contains(file.path))
    }

    @Test func aFolderTellsTheSpecialTokens() throws {
        let folder = try TemporaryFolder()
        let write = { (name: String, text: String) in
            try Data(text.utf8).write(to: folder.url.appending(path: name))
        }
        #expect(throws: TokenizerError.self) { try Tokenizer.load(folder.url) }
        try write("tokenizer.json", Self.bpe)
        try write(
            "tokenizer_config.json",
            #"{"bos_token":"<s>","eos_token":{"content":"</s>"},"pad_token":null,"chat_template":"{{ old }}"}"#)
        try write("generation_config.json", #"{"eos_token_id":[2,5]}"#)
        try write("chat_template.jinja", "{{ messages }}")
        let tokenizer = try Tokenizer.load(folder.url)
        #expect(tokenizer.bosID == tokenizer.id(of: "<s>") && tokenizer.eosID == tokenizer.id(of: "</s>"))
        #expect(tokenizer.padID == nil && tokenizer.addsBOS)
        #expect(tokenizer.endOfTurnIDs == [2, 5])
        #expect(tokenizer.chatTemplateSource == "{{ messages }}")
        try write("tokenizer_config.json", #"{"bos_token":7}"#)
        let error = #expect(throws: TokenizerError.self) { try Tokenizer.load(folder.url) }
        #expect("\(error!)".contains("tokenizer_config.json"))
    }

    @Test(arguments: [
        ("{}", #"{"eos_token_id":2}"#, #"{"eos_token_id":5}"#, 2), ("{}", "{}", #"{"eos_token_id":[5,2]}"#, 5),
        (#"{"eos_token":"</s>"}"#, #"{"eos_token_id":5}"#, "{}", 2), ("{}", "{}", "{}", nil),
    ]) func theEndOfATextIsFoundWhereAnyFileTells(
        _ tokenizer: String, _ generation: String, _ model: String, _ expected: TokenID?
    ) throws {
        let folder = try TemporaryFolder()
        for (name, text) in [
            ("tokenizer.json", Self.bpe), ("tokenizer_config.json", tokenizer), ("generation_config.json", generation),
            ("config.json", model),
        ] { try Data(text.utf8).write(to: folder.url.appending(path: name)) }
        #expect(try Tokenizer.load(folder.url).eosID == expected)
    }

    @Test func anEndThatIsNoTokenIsRefused() throws {
        let folder = try TemporaryFolder()
        try Data(Self.bpe.utf8).write(to: folder.url.appending(path: "tokenizer.json"))
        try Data(#"{"eos_token":"<|end|>"}"#.utf8).write(to: folder.url.appending(path: "tokenizer_config.json"))
        let error = #expect(throws: TokenizerError.self) { try Tokenizer.load(folder.url) }
        #expect(error?.message.contains("<|end|>") == true)
    }

    /// What Hugging Face's tokenizers give: of `한`, the bytes ED 95 9C, only the last two have tokens.
    @Test(arguments: [
        (#""unk_token":"?","fuse_unk":false"#, "x한한xy", [1, 0, 2, 3, 0, 2, 3, 1, 0]),
        (#""unk_token":"?","fuse_unk":false"#, "zyx", [0, 0, 1]), (#""unk_token":"?","fuse_unk":true"#, "zyx", [0, 1]),
        (#""unk_token":null"#, "zyx한", [1, 2, 3]),
    ]) func bytesWithoutATokenAreUnknown(_ options: String, _ text: String, _ ids: [TokenID]) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "tokenizer.json")
        let vocabulary = "{\"?\":0,\"x\":1,\"\u{137}\":2,\"\u{13E}\":3}"
        let json = #"""
            {"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},"decoder":{"type":"ByteLevel"},
            "model":{"type":"BPE",\#(options),"vocab":\#(vocabulary),"merges":[]}}
            """#
        try Data(json.utf8).write(to: file)
        #expect(try Tokenizer.load(file).encode(text).ids == ids)
    }

    /// What Hugging Face's tokenizers give.
    @Test(arguments: [
        ("<b> \n\n a", [5, 6, 2, 1]), ("<b>\n\n", [5, 6]), ("<b> a", [5, 1]), ("afox", [1, 0, 0, 0]),
        ("fox a", [7, 2, 1]), ("fox\u{200D}a", [0, 0, 0, 3, 1]), ("aⓐfox", [1, 4, 0, 0, 0]),
    ]) func addedTokensAreFoundAsHuggingFaceFindsThem(_ text: String, _ ids: [TokenID]) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "tokenizer.json")
        let json = #"""
            {"added_tokens":[{"id":5,"content":"<b>","rstrip":true,"special":true},{"id":6,"content":"\n\n","normalized":false},
            {"id":7,"content":"fox","single_word":true}],
            "model":{"type":"BPE","unk_token":"?","vocab":{"?":0,"a":1," ":2,"\u200d":3,"ⓐ":4},"merges":[]}}
            """#
        try Data(json.utf8).write(to: file)
        #expect(try Tokenizer.load(file).encode(text).ids == ids)
    }

    private static let bpe = #"""
        {"version":"1.0","truncation":null,"added_tokens":[
        {"id":1,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true},
        {"id":2,"content":"</s>","normalized":true,"special":true}],
        "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Prepend","prepend":"▁"},
        {"type":"Replace","pattern":{"String":" "},"content":"▁"},{"type":"Replace","pattern":{"Regex":"x{2,3}"},"content":"y"}]},
        "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
        {"type":"Split","pattern":{"Regex":"▁?\\p{L}+|(?!b)[^a]"},"behavior":"MergedWithNext","invert":false}]},
        "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
        {"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},
        "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
        {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
        "model":{"type":"BPE","dropout":null,"unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"ignore_merges":false,
        "vocab":{"<unk>":0,"<s>":1,"</s>":2,"▁":3,"a":4,"b":5,"ab":6,"▁ab":7,"漢":8,"1":9,"2":10,"x":11},
        "merges":["a b",["▁","ab"]]}}
        """#

    private static let unigram = #"""
        {"added_tokens":[{"id":0,"content":"<unk>","special":true}],
        "normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"CAAAAAAEAAAAAAAAQQBCAA=="},
        {"type":"NFKC"},{"type":"Nmt"},{"type":"Lowercase"},{"type":"StripAccents"},{"type":"Strip","strip_left":true}]},
        "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},
        "post_processor":{"type":"RobertaProcessing","sep":["b",3],"cls":["a",2]},
        "decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},
        "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,
        "vocab":[["<unk>",0.0],["▁",-2.5],["a",-3],["b",-3.25],["ab",-1e0],["▁ab",-4],["漢",-5.5]]}}
        """#
}
