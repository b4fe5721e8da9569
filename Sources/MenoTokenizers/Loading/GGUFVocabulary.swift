internal import MenoFormats

/// The vocabulary of a GGUF file.
enum GGUFVocabulary {
    enum TokenType { static let control = 3, userDefined = 4 }
    /// SentencePiece's mark for a space, `▁`.
    static let space: [UInt8] = [0xE2, 0x96, 0x81]

    static func load(_ file: GGUFFile, path: String) throws -> Tokenizer {
        let metadata = file.metadata
        let kind = try metadata.string("tokenizer.ggml.model")
        let tokens = try metadata.strings("tokenizer.ggml.tokens").map { Array($0.utf8) }
        guard !tokens.isEmpty else { throw TokenizerError(.malformed, at: path, "tokenizer.ggml.tokens is empty.") }
        let types =
            try metadata.ints("tokenizer.ggml.token_type", default: nil) ?? Array(repeating: 1, count: tokens.count)
        guard types.count == tokens.count else {
            throw TokenizerError(
                .malformed, at: path, "has \(tokens.count) tokens but \(types.count) token types.")
        }
        var parts =
            switch (kind, try preTokenizer(metadata, path: path)) {
            case ("llama", _): try sentencePiece(metadata, tokens, types, path: path)
            case ("gpt2", let pre?): try byteLevel(metadata, pre, tokens, types, path: path)
            default:
                let what = unsupportedKinds[kind].map { " (\($0))" } ?? ""
                throw TokenizerError(
                    .unsupported, at: path, "the tokenizer \"\(kind)\"\(what) is not supported.",
                    advice: "Supported: llama (SentencePiece), gpt2 (byte-level BPE).")
            }
        parts.specialTokenIDs = Set(types.indices.filter { types[$0] == TokenType.control }.map { TokenID($0) })
        parts.markers = try markers(metadata, tokenCount: tokens.count, path: path)
        if try addsBOS(metadata, path: path), let bos = parts.markers.bos { parts.prefix = [bos] }
        return Tokenizer(parts)
    }

    private static let unsupportedKinds = [
        "bert": "WordPiece", "t5": "Unigram", "rwkv": "RWKV's", "plamo2": "PLaMo 2's", "gemma4": "Gemma 4's",
        "no_vocab": "the file has no vocabulary", "none": "the file has no vocabulary",
    ]

    /// Whether a text that stands for itself begins with BOS. Where the file does not say, as llama.cpp has it.
    static func addsBOS(_ metadata: GGUFMetadata, path: String) throws -> Bool {
        try metadata.bool("tokenizer.ggml.add_bos_token", default: nil)
            ?? preTokenizer(metadata, path: path)?.addsBOS ?? true
    }

    /// How texts are cut; `nil` for SentencePiece's vocabularies, which cut nothing.
    static func preTokenizer(_ metadata: GGUFMetadata, path: String) throws -> KnownPreTokenizer? {
        guard try metadata.string("tokenizer.ggml.model") == "gpt2" else { return nil }
        return try .named(try metadata.string("tokenizer.ggml.pre", default: nil) ?? "gpt-2", path: path)
    }

    // MARK: SentencePiece

    private static func sentencePiece(
        _ metadata: GGUFMetadata, _ tokens: [[UInt8]], _ types: [Int], path: String
    ) throws -> Tokenizer.Parts {
        let (names, scores, isRun) = try scoredNames(metadata, tokens, types, path: path)
        let addsSpace = try metadata.bool("tokenizer.ggml.add_space_prefix", default: nil) ?? true
        let replacement = Normalizer.replace(.text([0x20]), with: space)
        let unknown = try metadata.int("tokenizer.ggml.unknown_token_id", default: nil)
        return Tokenizer.Parts(
            model: .bpe(
                BPE(
                    vocabulary: names, merges: MergeTable(merges(of: names, scores)),
                    alphabet: .characters(
                        UnknownCharacters(
                            byteTokens: UnknownCharacters.byteTokens(of: names),
                            unknown: unknown.flatMap { TokenID(exactly: $0) }, areFused: true)),
                    ignoresMerges: false)),
            names: names,
            // SentencePiece's user-defined symbols are matched before merging, as control tokens are.
            addedTokens: added(tokens, types) { type, index in
                type == TokenType.control || type == TokenType.userDefined && !isRun[index]
            },
            normalizer: addsSpace ? .sequence([.prepend(space), replacement]) : replacement,
            decoder: TokenDecoder(
                names,
                .init(
                    hasByteTokens: true, replacements: [(space, [0x20])], strippedSpaces: addsSpace ? 1 : 0)),
            specialTokenIDs: [], markers: .init())
    }

    /// The tokens as merges make them, with the score of each, and which of them are runs of spaces.
    static func scoredNames(
        _ metadata: GGUFMetadata, _ tokens: [[UInt8]], _ types: [Int], path: String
    ) throws -> (names: Vocabulary, scores: [Float], isRun: [Bool]) {
        // Gemma's runs of spaces are marked as user-defined and written as such. They are tokens like others, whose
        // merges come before all others'.
        let isRun = tokens.indices.map { index in
            types[index] == TokenType.userDefined && tokens[index].allSatisfy { $0 == 0x20 }
        }
        let names = Vocabulary(tokens.indices.map { isRun[$0] ? tokens[$0].flatMap { _ in space } : tokens[$0] })
        var scores = try metadata.floats("tokenizer.ggml.scores")
        guard scores.count == tokens.count, scores.allSatisfy(\.isFinite) else {
            throw TokenizerError(
                .malformed, at: path, "tokenizer.ggml.scores are not \(tokens.count) finite numbers.")
        }
        let best = scores.max() ?? 0
        for index in isRun.indices where isRun[index] { scores[index] = best + 1 }
        return (names, scores, isRun)
    }

    /// Every way to make a token of two others, the tokens with the best scores first; of runs of spaces, whose scores
    /// are equal, those of the shortest parts.
    static func merges(
        of names: Vocabulary, _ scores: [Float]
    ) -> [(left: TokenID, right: TokenID, id: TokenID)] {
        struct Merge {
            var left, right, id: TokenID
            var score: Float
            var lengths: Int
        }
        var merges: [Merge] = []
        merges.reserveCapacity(2 * names.count)
        for id in 0..<TokenID(names.count) {
            let name = names.bytes(of: id)
            let characters = name.indices.filter { name[$0] & 0xC0 != 0x80 }
            for (leftCount, place) in characters.enumerated().dropFirst() {
                guard let left = names.id(of: name[..<place]), let right = names.id(of: name[place...]) else {
                    continue
                }
                merges.append(
                    Merge(
                        left: left, right: right, id: id, score: scores[Int(id)],
                        lengths: leftCount << 32 | (characters.count - leftCount)))
            }
        }
        merges.sort { ($1.score, $0.lengths, $0.id) < ($0.score, $1.lengths, $1.id) }
        return merges.map { ($0.left, $0.right, $0.id) }
    }

    // MARK: GPT-2

    private static func byteLevel(
        _ metadata: GGUFMetadata, _ pre: KnownPreTokenizer, _ tokens: [[UInt8]], _ types: [Int], path: String
    ) throws -> Tokenizer.Parts {
        let names = Vocabulary(tokens)
        var merges: [(left: TokenID, right: TokenID, id: TokenID)] = []
        for (rank, merge) in try metadata.strings("tokenizer.ggml.merges").enumerated() {
            let parts = Array(merge.utf8).split(separator: 0x20, omittingEmptySubsequences: true)
            guard parts.count == 2, let left = names.id(of: parts[0]), let right = names.id(of: parts[1]),
                let merged = names.id(of: (parts[0] + parts[1])[...])
            else {
                throw TokenizerError(
                    .malformed, at: path, "merge \(rank) (\"\(merge)\") is not a pair of tokens that forms a token.")
            }
            merges.append((left, right, merged))
        }
        let bytes = ByteCharacters.all.map { names.id(of: String(Character($0))) }
        var parts = Tokenizer.Parts(
            model: .bpe(
                BPE(
                    vocabulary: .byteLevel(names), merges: MergeTable(merges),
                    alphabet: .bytes(bytes, UnknownCharacters(areFused: false)), ignoresMerges: pre.ignoresMerges)),
            names: names, addedTokens: added(tokens, types) { type, _ in type >= TokenType.control },
            normalizer: pre.isNFC ? .form(.nfc) : nil, preTokenizer: try pre.preTokenizer(),
            decoder: TokenDecoder(names, .init(isByteLevel: true)), specialTokenIDs: [], markers: .init())
        if try metadata.string("tokenizer.ggml.pre", default: nil) == nil {
            parts.warnings = [missingPreTokenizer(path)]
        }
        return parts
    }

    /// llama.cpp warns of such a file too; its own default cuts texts in a way of its own.
    private static func missingPreTokenizer(_ path: String) -> String {
        "\(path) does not name its pre-tokenizer (tokenizer.ggml.pre), so texts are split as in GPT-2. If the model was "
            + "trained with another one, it gets tokens that it was not trained on, and its answers get worse. Convert the model "
            + "again with a current version of llama.cpp, or use its Hugging Face folder."
    }

    // MARK: Tokens with a part to play

    private static func added(
        _ tokens: [[UInt8]], _ types: [Int], where isAdded: (_ type: Int, _ index: Int) -> Bool
    ) -> AddedTokens {
        AddedTokens(
            tokens.indices.filter { isAdded(types[$0], $0) }.map { .init(bytes: tokens[$0], id: TokenID($0)) })
    }

    private static func markers(_ metadata: GGUFMetadata, tokenCount: Int, path: String) throws -> Tokenizer.Markers {
        let id = { (key: String) -> TokenID? in
            guard let value = try metadata.int("tokenizer.ggml.\(key)", default: nil) else { return nil }
            guard value >= 0, value < tokenCount else {
                throw TokenizerError(
                    .malformed, at: path, "tokenizer.ggml.\(key) is \(value); there are \(tokenCount) tokens.")
            }
            return TokenID(value)
        }
        return Tokenizer.Markers(
            bos: try id("bos_token_id"), eos: try id("eos_token_id"), pad: try id("padding_token_id"),
            unknown: try id("unknown_token_id"), ends: [try id("eot_token_id")].compactMap { $0 },
            chatTemplate: try metadata.string("tokenizer.chat_template", default: nil))
    }
}
