internal import MenoFormats

/// The vocabulary of a GGUF file.
enum GGUFVocabulary {
    /// Tokens with a part to play, and the template.
    struct Markers {
        var bos, eos, pad, unknown, endOfTurn: TokenID?
        var addsBOS: Bool
        var chatTemplate: String?
    }

    private enum TokenType { static let control = 3, userDefined = 4, byte = 6 }
    private static let supported = ["llama", "gpt2"]

    static func load(_ file: GGUFFile, path: String) throws -> Tokenizer {
        let metadata = file.metadata
        let kind = try metadata.string("tokenizer.ggml.model")
        guard supported.contains(kind) else {
            throw TokenizerError(
                .unsupported, path: path, "the tokenizer \"\(kind)\" is not supported.",
                advice: "Supported: \(supported.joined(separator: ", ")).")
        }
        let tokens = try metadata.strings("tokenizer.ggml.tokens")
        guard !tokens.isEmpty else { throw TokenizerError(.malformed, path: path, "tokenizer.ggml.tokens is empty.") }
        let types =
            try metadata.ints("tokenizer.ggml.token_type", default: nil) ?? Array(repeating: 1, count: tokens.count)
        guard types.count == tokens.count else {
            throw TokenizerError(
                .malformed, path: path, "has \(tokens.count) tokens but \(types.count) token types.")
        }
        let isSentencePiece = kind == "llama"
        // Gemma's runs of spaces are marked as user-defined and written as such. They are tokens like others, whose
        // merges come before all others'.
        let runs = Set(
            types.indices.filter { index in
                isSentencePiece && types[index] == TokenType.userDefined
                    && tokens[index].utf8.allSatisfy { $0 == 0x20 }
            })
        let names = Vocabulary(
            tokens.indices.map { index in
                let bytes = Array(tokens[index].utf8)
                return runs.contains(index) ? bytes.flatMap { _ in SentencePieceBPE.space } : bytes
            })
        let special = types.indices.filter { types[$0] == TokenType.control }
        // SentencePiece's other user-defined symbols are matched before merging, as control tokens are.
        let matched = types.indices.filter { index in
            types[index] == TokenType.control || types[index] == TokenType.userDefined && !runs.contains(index)
        }
        let isMatched = Set(matched)
        let pieces = tokens.indices.map { index -> [UInt8] in
            if isMatched.contains(index) { return names.tokens[index] }
            if isSentencePiece {
                if types[index] == TokenType.byte, let byte = byteValue(tokens[index]) { return [byte] }
                return replaced(names.tokens[index])
            }
            return ByteLevelBPE.bytes(of: tokens[index])
        }
        let markers = try markers(metadata, tokenCount: tokens.count, path: path, isSentencePiece: isSentencePiece)
        let model: Tokenizer.Model =
            isSentencePiece
            ? .sentencePiece(
                try sentencePiece(metadata, names: names, runs: runs, unknown: markers.unknown, path: path))
            : .byteLevel(try byteLevel(metadata, names: names, path: path))
        return Tokenizer(
            model: model, names: names, pieces: pieces,
            specials: SpecialTokens(matched.map { (names.tokens[$0], TokenID($0)) }),
            specialTokenIDs: Set(special.map { TokenID($0) }), markers: markers)
    }

    private static func sentencePiece(
        _ metadata: GGUFMetadata, names: Vocabulary, runs: Set<Int>, unknown: TokenID?, path: String
    ) throws -> SentencePieceBPE {
        var scores = try metadata.floats("tokenizer.ggml.scores")
        guard scores.count == names.tokens.count, scores.allSatisfy(\.isFinite) else {
            throw TokenizerError(
                .malformed, path: path, "tokenizer.ggml.scores are not \(names.tokens.count) finite numbers.")
        }
        let best = scores.max() ?? 0
        for index in runs { scores[index] = best + 1 }
        if try metadata.bool("tokenizer.ggml.add_space_prefix", default: nil) ?? true {
            throw TokenizerError(
                .unsupported, path: path,
                "a SentencePiece vocabulary that puts a space before every text is not supported.")
        }
        let bytes = (0..<256).map { names.id(of: "<0x" + hexadecimal($0) + ">") }
        return SentencePieceBPE(vocabulary: names, scores: scores, byteTokens: bytes, unknown: unknown)
    }

    private static func byteLevel(_ metadata: GGUFMetadata, names: Vocabulary, path: String) throws -> ByteLevelBPE {
        let pre = try metadata.string("tokenizer.ggml.pre", default: nil) ?? "default"
        guard ["default", "gpt-2", "smollm"].contains(pre) else {
            throw TokenizerError(
                .unsupported, path: path, "the pre-tokenizer \"\(pre)\" is not supported.",
                advice: "Supported: default, gpt-2, smollm.")
        }
        let bytes = ByteLevelBPE.byteCharacters.map { names.id(of: String(Character($0))) }
        var merges: [UInt64: (rank: Int, id: TokenID)] = [:]
        for (rank, merge) in try metadata.strings("tokenizer.ggml.merges").enumerated() {
            let parts = Array(merge.utf8).split(separator: 0x20, omittingEmptySubsequences: true)
            guard parts.count == 2, let left = names.id(of: parts[0]), let right = names.id(of: parts[1]),
                let merged = names.id(of: (parts[0] + parts[1])[...])
            else {
                throw TokenizerError(
                    .malformed, path: path, "merge \(rank) (\"\(merge)\") is no pair of tokens that make a token.")
            }
            let key = ByteLevelBPE.pair(left, right)
            if merges[key] == nil { merges[key] = (rank, merged) }
        }
        return ByteLevelBPE(vocabulary: names, merges: merges, byteTokens: bytes, splitsDigits: pre == "smollm")
    }

    private static func markers(
        _ metadata: GGUFMetadata, tokenCount: Int, path: String, isSentencePiece: Bool
    ) throws -> Markers {
        let id = { (key: String) -> TokenID? in
            guard let value = try metadata.int("tokenizer.ggml.\(key)", default: nil) else { return nil }
            guard value >= 0, value < tokenCount else {
                throw TokenizerError(
                    .malformed, path: path, "tokenizer.ggml.\(key) is \(value); there are \(tokenCount) tokens.")
            }
            return TokenID(value)
        }
        return Markers(
            bos: try id("bos_token_id"), eos: try id("eos_token_id"), pad: try id("padding_token_id"),
            unknown: try id("unknown_token_id"), endOfTurn: try id("eot_token_id"),
            addsBOS: try metadata.bool("tokenizer.ggml.add_bos_token", default: nil) ?? isSentencePiece,
            chatTemplate: try metadata.string("tokenizer.chat_template", default: nil))
    }

    private static func byteValue(_ token: String) -> UInt8? {
        token.hasPrefix("<0x") && token.hasSuffix(">") ? UInt8(token.dropFirst(3).dropLast(), radix: 16) : nil
    }

    private static func hexadecimal(_ byte: Int) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }

    /// `▁` written as a space.
    private static func replaced(_ token: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = token[...]
        while let first = rest.first {
            let isSpace = rest.starts(with: SentencePieceBPE.space)
            result.append(isSpace ? 0x20 : first)
            rest = rest.dropFirst(isSpace ? 3 : 1)
        }
        return result
    }
}
