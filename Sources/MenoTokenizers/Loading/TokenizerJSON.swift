internal import Foundation
internal import MenoFormats

/// Reads a `tokenizer.json` of Hugging Face's tokenizers.
struct TokenizerJSON {
    private let path: String
    private var model = ModelSection()
    private var added: [AddedToken] = []
    private var normalizer: TokenizerComponent?
    private var preTokenizer: TokenizerComponent?
    private var postProcessor: TokenizerComponent?
    private var decoder: TokenizerComponent?

    private struct AddedToken: Decodable {
        var id: Int
        var content: String
        var singleWord: Bool?
        var lstrip: Bool?
        var rstrip: Bool?
        var normalized: Bool?
        var special: Bool?
    }

    private struct ModelSection {
        var type: String?
        var tokens: [(id: Int, name: [UInt8])] = []
        var scores: [Double] = []
        var isList = false
        var merges: [(left: [UInt8], right: [UInt8])] = []
        var options = ModelOptions()
    }

    private struct ModelOptions: Decodable {
        var unkToken: String?
        var unkId: Int?
        var byteFallback: Bool?
        var fuseUnk: Bool?
        var ignoreMerges: Bool?
        var continuingSubwordPrefix: String?
        var endOfWordSuffix: String?
    }

    /// - Throws: ``TokenizerError`` or `FormatError`.
    static func read(_ url: URL) throws -> Tokenizer.Parts {
        let file = try MemoryMappedFile(contentsOf: url)
        var reader = TokenizerJSON(path: url.path)
        try file.withUnsafeBytes { try reader.scan($0) }
        return try reader.parts()
    }

    private init(path: String) { self.path = path }

    private func malformed(_ message: String) -> TokenizerError { TokenizerError(.malformed, at: path, message) }

    // MARK: Scanning

    private mutating func scan(_ bytes: UnsafeRawBufferPointer) throws {
        var scanner = JSONScanner(bytes, path: path, name: "file")
        try scanner.object { scanner, key in
            switch key {
            case "added_tokens": added = try decode(&scanner, key) ?? []
            case "normalizer": normalizer = try decode(&scanner, key)
            case "pre_tokenizer": preTokenizer = try decode(&scanner, key)
            case "post_processor": postProcessor = try decode(&scanner, key)
            case "decoder": decoder = try decode(&scanner, key)
            case "model": try scanModel(&scanner)
            default: try scanner.skip()
            }
        }
        try scanner.end()
    }

    private func decode<Value: Decodable>(_ scanner: inout JSONScanner, _ section: String) throws -> Value? {
        let data = Data(try scanner.raw())
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(Value?.self, from: data)
        } catch let error as DecodingError {
            throw malformed("\(section): \(error.place)")
        }
    }

    private mutating func scanModel(_ scanner: inout JSONScanner) throws {
        // Small members are collected and read as one object; the large ones are read where they lie.
        var options: [String] = []
        try scanner.object { scanner, key in
            switch key {
            case "vocab" where try scanner.kind() == .array: try scanScoredTokens(&scanner)
            case "vocab":
                try scanner.object { model.tokens.append((try $0.count(), Array($1.utf8))) }
            case "merges":
                try scanner.array { model.merges.append(try merge(&$0)) }
            case "type": model.type = try scanner.string()
            default: options.append("\"\(key)\":" + String(decoding: try scanner.raw(), as: UTF8.self))
            }
        }
        let text = "{" + options.joined(separator: ",") + "}"
        model.options = try Data(text.utf8).withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes, path: path, name: "model")
            return try decode(&scanner, "model") ?? ModelOptions()
        }
    }

    private mutating func scanScoredTokens(_ scanner: inout JSONScanner) throws {
        model.isList = true
        try scanner.array { scanner in
            var name: String?
            var score: Double?
            try scanner.array { scanner in
                if name == nil { name = try scanner.string() } else { score = try scanner.number() }
            }
            guard let name, let score else { throw malformed("model.vocab contains an entry without a score.") }
            model.tokens.append((model.tokens.count, Array(name.utf8)))
            model.scores.append(score)
        }
    }

    /// A merge is a pair of names, or both in one text with a space between them.
    private func merge(_ scanner: inout JSONScanner) throws -> (left: [UInt8], right: [UInt8]) {
        var names: [[UInt8]] = []
        if try scanner.kind() == .array {
            try scanner.array { names.append(Array(try $0.string().utf8)) }
        } else {
            names = try scanner.string().utf8.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
        }
        guard names.count == 2 else { throw malformed("model.merges contains an entry that is not a pair of tokens.") }
        return (names[0], names[1])
    }

    // MARK: Building

    private func parts() throws -> Tokenizer.Parts {
        guard !model.tokens.isEmpty else { throw malformed("model.vocab is missing or empty.") }
        let vocabulary = try vocabulary(model.tokens)
        let names = try self.vocabulary(model.tokens + added.map { ($0.id, Array($0.content.utf8)) })
        let preTokenizer = try preTokenizer.map { try $0.preTokenizer(path) }
        let normalizer = try normalizer.map { try $0.normalizer(path) }
        let isByteLevel = self.preTokenizer?.isByteLevel == true || self.normalizer?.isByteLevel == true
        let shownNames = try self.vocabulary(model.tokens + added.map { ($0.id, text(of: $0, normalizer)) })
        let rules = try decoder?.decoderRules(path) ?? .init()
        let around = try postProcessor?.surroundings(path) ?? (prefix: [], suffix: [])
        for id in around.prefix + around.suffix where !(0..<names.count).contains(Int(id)) {
            throw malformed("post_processor adds the token \(id); there are \(names.count).")
        }
        return Tokenizer.Parts(
            model: try model(vocabulary, isByteLevel: isByteLevel), names: names,
            addedTokens: addedTokens(isNormalized: false, normalizer),
            addedNormalizedTokens: addedTokens(isNormalized: true, normalizer), normalizer: normalizer,
            preTokenizer: preTokenizer, prefix: around.prefix, suffix: around.suffix,
            decoder: TokenDecoder(shownNames, rules),
            specialTokenIDs: Set(added.filter { $0.special == true }.map { TokenID($0.id) }), markers: .init())
    }

    private func vocabulary(_ tokens: [(id: Int, name: [UInt8])]) throws -> Vocabulary {
        // Ids may have gaps, but a small file must not be able to request much memory.
        let limit = 2 * tokens.count + 65_536
        guard let highest = tokens.map(\.id).max(), tokens.allSatisfy({ (0..<limit).contains($0.id) }) else {
            throw malformed("a token's number is not between 0 and \(limit - 1), for \(tokens.count) tokens.")
        }
        var names = [[UInt8]](repeating: [], count: highest + 1)
        for token in tokens { names[token.id] = token.name }
        return Vocabulary(names)
    }

    private func model(_ vocabulary: Vocabulary, isByteLevel: Bool) throws -> Tokenizer.Model {
        let options = model.options
        for (key, value) in [
            ("continuing_subword_prefix", options.continuingSubwordPrefix),
            ("end_of_word_suffix", options.endOfWordSuffix),
        ] where value?.isEmpty == false {
            throw TokenizerError(.unsupported, at: path, "model.\(key) is not supported.")
        }
        let unknown = try unknownToken(vocabulary)
        let byteTokens = options.byteFallback == true ? UnknownCharacters.byteTokens(of: vocabulary) : nil
        switch model.type ?? (model.isList ? "Unigram" : "BPE") {
        case "BPE" where !model.isList:
            let characters = UnknownCharacters(
                byteTokens: byteTokens, unknown: unknown, areFused: options.fuseUnk ?? false)
            return .bpe(
                BPE(
                    vocabulary: isByteLevel ? .byteLevel(vocabulary) : vocabulary,
                    merges: MergeTable(try merges(vocabulary)),
                    alphabet: isByteLevel
                        ? .bytes(ByteCharacters.all.map { vocabulary.id(of: String(Character($0))) }, characters)
                        : .characters(characters),
                    ignoresMerges: options.ignoreMerges ?? false))
        case "Unigram" where model.isList:
            return .unigram(
                Unigram(
                    vocabulary: vocabulary, scores: model.scores,
                    unknown: UnknownCharacters(
                        byteTokens: byteTokens, unknown: unknown, areFused: options.fuseUnk ?? true)))
        case let type:
            throw TokenizerError(
                .unsupported, at: path,
                "the model \"\(type)\" is not supported, or its vocabulary is in an unknown form.",
                advice: "Supported: BPE, Unigram.")
        }
    }

    private func unknownToken(_ vocabulary: Vocabulary) throws -> TokenID? {
        if let id = model.options.unkId {
            guard (0..<vocabulary.count).contains(id) else {
                throw malformed("model.unk_id is \(id); there are \(vocabulary.count) tokens.")
            }
            return TokenID(id)
        }
        guard let name = model.options.unkToken else { return nil }
        guard let id = vocabulary.id(of: name) else {
            throw malformed("model.unk_token \"\(name)\" is not in the vocabulary.")
        }
        return id
    }

    private func merges(_ vocabulary: Vocabulary) throws -> [(left: TokenID, right: TokenID, id: TokenID)] {
        try model.merges.enumerated().map { rank, merge in
            guard let left = vocabulary.id(of: merge.left[...]), let right = vocabulary.id(of: merge.right[...]),
                let id = vocabulary.id(of: (merge.left + merge.right)[...])
            else {
                let names = [merge.left, merge.right].map { "\"" + String(decoding: $0, as: UTF8.self) + "\"" }
                throw malformed("model.merges: entry \(rank), \(names[0]) and \(names[1]), does not form a token.")
            }
            return (left, right, id)
        }
    }

    /// What an added token is found by.
    private func text(of token: AddedToken, _ normalizer: Normalizer?) -> [UInt8] {
        var text = AlignedText(Array(token.content.utf8), 0..<token.content.utf8.count)
        if token.normalized ?? true { normalizer?.apply(to: &text) }
        return text.bytes
    }

    private func addedTokens(isNormalized: Bool, _ normalizer: Normalizer?) -> AddedTokens {
        AddedTokens(
            added.filter { ($0.normalized ?? true) == isNormalized }.map { token in
                AddedTokens.Token(
                    bytes: text(of: token, normalizer), id: TokenID(token.id), isSingleWord: token.singleWord ?? false,
                    stripsLeft: token.lstrip ?? false, stripsRight: token.rstrip ?? false)
            })
    }
}

extension DecodingError {
    /// The key and the problem with its value.
    var place: String {
        let (context, what): (Context, String) =
            switch self {
            case .typeMismatch(let type, let context): (context, "is not of the type \(type)")
            case .valueNotFound(_, let context): (context, "is null")
            case .keyNotFound(let key, let context): (context, "lacks \"\(key.stringValue)\"")
            case .dataCorrupted(let context): (context, context.debugDescription)
            @unknown default: (Context(codingPath: [], debugDescription: ""), "\(self)")
            }
        let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        return (path.isEmpty ? "it" : path) + " " + what + "."
    }
}
