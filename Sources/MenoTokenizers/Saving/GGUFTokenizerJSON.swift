internal import Foundation
internal import MenoFormats

/// Writes the vocabulary of a GGUF file as the `tokenizer.json` that gives the same tokens.
///
/// What a GGUF file leaves to its reader, such as the pattern that cuts texts, is written out as ``GGUFVocabulary`` reads it.
struct GGUFTokenizerJSON {
    private let metadata: GGUFMetadata
    private let path: String
    private let rows: Int
    private let preTokenizer: KnownPreTokenizer?
    private let tokens: [[UInt8]]
    private let types: [Int]
    private let names: Vocabulary
    private let scores: [Float]
    private let isRun: [Bool]

    /// - Parameter rows: of the model's embedding: the file has as many tokens.
    init(_ file: GGUFFile, path: String, rows: Int) throws {
        metadata = file.metadata
        self.path = path
        self.rows = rows
        preTokenizer = try GGUFVocabulary.preTokenizer(metadata, path: path)
        tokens = try metadata.strings("tokenizer.ggml.tokens").map { Array($0.utf8) }
        types = try metadata.ints("tokenizer.ggml.token_type", default: nil) ?? tokens.map { _ in 1 }
        guard types.count == tokens.count else {
            throw TokenizerError(
                .malformed, at: path, "has \(tokens.count) tokens but \(types.count) token types.")
        }
        if preTokenizer == nil {
            (names, scores, isRun) = try GGUFVocabulary.scoredNames(metadata, tokens, types, path: path)
        } else {
            (names, scores, isRun) = (Vocabulary(tokens), [], tokens.map { _ in false })
        }
    }

    /// The contents of `tokenizer.json`.
    func data() throws -> Data {
        let shown = (0..<rows).map(name)
        var json = JSONText()
        json.raw(#"{"version":"1.0","truncation":null,"padding":null,"#)
        json.raw("\n\"added_tokens\":[")
        writeAddedTokens(to: &json)
        json.raw("],\n\"normalizer\":\(try normalizer()),\n\"pre_tokenizer\":\(preTokenizer?.json ?? "null"),")
        json.raw("\n\"post_processor\":\(try postProcessor()),\n\"decoder\":\(try decoder()),")
        json.raw("\n\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\(try unknownToken()),")
        json.raw("\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":\(isSentencePiece),")
        let hasBytes = isSentencePiece && UnknownCharacters.byteTokens(of: names) != nil
        json.raw(
            "\"byte_fallback\":\(hasBytes),\"ignore_merges\":\(preTokenizer?.ignoresMerges ?? false),\n\"vocab\":{")
        for (id, name) in shown.enumerated() {
            json.raw(id == 0 ? "\n" : ",\n")
            json.string(name)
            json.raw(":\(id)")
        }
        json.raw("},\n\"merges\":[")
        try writeMerges(of: shown, to: &json)
        json.raw("]}}\n")
        return Data(json.bytes)
    }

    // MARK: Tokens

    private var isSentencePiece: Bool { preTokenizer == nil }

    /// The name of a row. Rows without a token, or with the name of an earlier one, have a name that no merge makes and
    /// that is not looked for in texts.
    private func name(_ row: Int) -> [UInt8] {
        if row < names.count, case let name = names.bytes(of: TokenID(row)), names.id(of: name) == TokenID(row) {
            return Array(name)
        }
        var filler = "[PAD\(row)]"
        while names.id(of: filler) != nil { filler = "[" + filler + "]" }
        return Array(filler.utf8)
    }

    private func writeAddedTokens(to json: inout JSONText) {
        var isFirst = true
        for id in 0..<min(rows, tokens.count)
        where isAdded(id) && names.id(of: names.bytes(of: TokenID(id))) == TokenID(id) {
            json.raw(isFirst ? "\n" : ",\n")
            isFirst = false
            json.raw("{\"id\":\(id),\"content\":")
            json.string(tokens[id])
            let isSpecial = types[id] == GGUFVocabulary.TokenType.control
            json.raw(
                ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":\(isSpecial)}"
            )
        }
    }

    /// Whether a token is found in a text before anything else.
    private func isAdded(_ id: Int) -> Bool {
        isSentencePiece
            ? types[id] == GGUFVocabulary.TokenType.control
                || types[id] == GGUFVocabulary.TokenType.userDefined && !isRun[id]
            : types[id] >= GGUFVocabulary.TokenType.control
    }

    private func token(_ key: String) throws -> TokenID? {
        try metadata.int("tokenizer.ggml.\(key)", default: nil).flatMap {
            (0..<min(rows, names.count)).contains($0) ? TokenID($0) : nil
        }
    }

    private func unknownToken() throws -> String {
        guard isSentencePiece, let id = try token("unknown_token_id") else { return "null" }
        var json = JSONText()
        json.string(names.bytes(of: id))
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// In the order of their ranks. As one text each, which every version reads, unless a name has a space.
    private func writeMerges(of shown: [[UInt8]], to json: inout JSONText) throws {
        let space = UInt8(ascii: " ")
        if isSentencePiece {
            let hasSpaces = shown.contains { $0.contains(space) }
            var isFirst = true
            for merge in GGUFVocabulary.merges(of: names, scores)
            where merge.id < rows && merge.left < rows && merge.right < rows {
                json.raw(isFirst ? "\n" : ",\n")
                isFirst = false
                let (left, right) = (shown[Int(merge.left)], shown[Int(merge.right)])
                if hasSpaces {
                    json.raw("[")
                    json.string(left)
                    json.raw(",")
                    json.string(right)
                    json.raw("]")
                } else {
                    json.string(left + [space] + right)
                }
            }
            return
        }
        var isFirst = true
        for merge in try metadata.strings("tokenizer.ggml.merges") {
            let parts = Array(merge.utf8).split(separator: space)
            guard parts.count == 2,
                [parts[0], parts[1], (parts[0] + parts[1])[...]].allSatisfy({
                    names.id(of: $0).map { $0 < rows } ?? false
                })
            else { continue }
            json.raw(isFirst ? "\n" : ",\n")
            isFirst = false
            json.string(parts[0] + [space] + parts[1])
        }
    }

    // MARK: Steps

    private func addsSpace() throws -> Bool {
        try metadata.bool("tokenizer.ggml.add_space_prefix", default: nil) ?? true
    }

    private func normalizer() throws -> String {
        if let preTokenizer { return preTokenizer.isNFC ? #"{"type":"NFC"}"# : "null" }
        let replacement = #"{"type":"Replace","pattern":{"String":" "},"content":"▁"}"#
        return try addsSpace()
            ? #"{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},\#(replacement)]}"# : replacement
    }

    private func postProcessor() throws -> String {
        guard try GGUFVocabulary.addsBOS(metadata, path: path), let bos = try token("bos_token_id") else {
            return "null"
        }
        var json = JSONText()
        json.string(names.bytes(of: bos))
        let name = String(decoding: json.bytes, as: UTF8.self)
        let first = #"{"SpecialToken":{"id":\#(name),"type_id":0}},{"Sequence":{"id":"A","type_id":0}}"#
        return
            #"{"type":"TemplateProcessing","single":[\#(first)],"pair":[\#(first),{"Sequence":{"id":"B","type_id":1}}],"#
            + #""special_tokens":{\#(name):{"id":\#(name),"ids":[\#(bos)],"tokens":[\#(name)]}}}"#
    }

    private func decoder() throws -> String {
        guard isSentencePiece else {
            return #"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}"#
        }
        let steps =
            #"{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}"#
        let strip = try addsSpace() ? #",{"type":"Strip","content":" ","start":1,"stop":0}"# : ""
        return #"{"type":"Sequence","decoders":[\#(steps)\#(strip)]}"#
    }
}
