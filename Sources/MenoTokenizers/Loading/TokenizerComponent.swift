internal import Foundation

/// One step of a `tokenizer.json`, of whatever section: its type, and the settings that any type has.
struct TokenizerComponent: Decodable {
    struct Search: Decodable {
        var text: String?
        var regex: String?
        private enum CodingKeys: String, CodingKey { case text = "String", regex = "Regex" }
    }

    /// `["</s>", 2]`
    struct NamedToken: Decodable {
        var id: TokenID

        init(from decoder: any Swift.Decoder) throws {
            var container = try decoder.unkeyedContainer()
            _ = try container.decode(String.self)
            id = try container.decode(TokenID.self)
        }
    }

    struct TemplateItem: Decodable {
        struct Name: Decodable { var id: String }
        var specialToken: Name?
        var sequence: Name?
        private enum CodingKeys: String, CodingKey { case specialToken = "SpecialToken", sequence = "Sequence" }
    }

    struct TemplateToken: Decodable { var ids: [TokenID] }

    var type: String
    var normalizers: [TokenizerComponent]?
    var pretokenizers: [TokenizerComponent]?
    var processors: [TokenizerComponent]?
    var decoders: [TokenizerComponent]?
    var pattern: Search?
    var content: String?
    var prepend: String?
    var stripLeft: Bool?
    var stripRight: Bool?
    var precompiledCharsmap: String?
    var behavior: String?
    var invert: Bool?
    var addPrefixSpace: Bool?
    var useRegex: Bool?
    var individualDigits: Bool?
    var replacement: String?
    var prependScheme: String?
    var split: Bool?
    var start: Int?
    var stop: Int?
    var single: [TemplateItem]?
    var specialTokens: [String: TemplateToken]?
    var cls: NamedToken?
    var sep: NamedToken?

    private func unsupported(_ section: String, _ path: String, _ what: String = "is not supported.") -> TokenizerError
    {
        TokenizerError(.unsupported, at: path, "\(section): \"\(type)\" \(what)")
    }

    private func search(_ section: String, _ path: String) throws -> Normalizer.Search {
        if let text = pattern?.text { return .text(Array(text.utf8)) }
        guard let source = pattern?.regex else { throw unsupported(section, path, "has no pattern.") }
        do {
            return .pattern(try Pattern(source))
        } catch let error as PatternError {
            throw unsupported(section, path, "has the pattern \(source): \(error).")
        }
    }

    /// Whether texts reach the model as bytes.
    var isByteLevel: Bool {
        type == "ByteLevel" || ((normalizers ?? []) + (pretokenizers ?? [])).contains(where: \.isByteLevel)
    }

    // MARK: Sections

    func normalizer(_ path: String) throws -> Normalizer {
        switch type {
        case "Sequence": return .sequence(try (normalizers ?? []).map { try $0.normalizer(path) })
        case "NFC", "NFD", "NFKC", "NFKD": return .form(Normalizer.Form(rawValue: type)!)
        case "Lowercase": return .lowercase
        case "Strip": return .strip(left: stripLeft ?? true, right: stripRight ?? true)
        case "StripAccents": return .stripAccents
        case "Prepend": return .prepend(Array((prepend ?? "").utf8))
        case "Replace": return .replace(try search("normalizer", path), with: Array((content ?? "").utf8))
        case "Nmt": return .nmt
        // The bytes themselves are kept; the model's vocabulary is read in bytes.
        case "ByteLevel": return .sequence([])
        case "Precompiled":
            guard let data = precompiledCharsmap.flatMap({ Data(base64Encoded: $0) }) else {
                throw unsupported("normalizer", path, "has no table in base64.")
            }
            if data.isEmpty { return .sequence([]) }
            guard let map = PrecompiledMap(data) else { throw unsupported("normalizer", path, "has a broken table.") }
            return .precompiled(map)
        default: throw unsupported("normalizer", path)
        }
    }

    func preTokenizer(_ path: String) throws -> PreTokenizer {
        let section = "pre_tokenizer"
        switch type {
        case "Sequence": return .sequence(try (pretokenizers ?? []).map { try $0.preTokenizer(path) })
        case "ByteLevel":
            return .byteLevel(
                addsPrefixSpace: addPrefixSpace ?? true, useRegex ?? true ? try Pattern(PreTokenizer.gpt2) : nil)
        case "Split":
            guard let behavior = PreTokenizer.Behavior(rawValue: behavior ?? "") else {
                throw unsupported(section, path, "has the unknown behavior \"\(behavior ?? "")\".")
            }
            return .split(try search(section, path), behavior, isInverted: invert ?? false)
        case "Digits":
            return .scalars(
                ScalarSet([.categories(ScalarCategory.numbers)]), individualDigits ?? false ? .isolated : .contiguous)
        case "WhitespaceSplit": return .scalars(ScalarSet([.whitespace]), .removed)
        case "Whitespace":
            // In `\w` of Rust is what joins characters, and not in that of Oniguruma.
            let pattern = #"[\w\u200C\u200D]+|[^\w\u200C\u200D\s]+"#
            return .split(.pattern(try Pattern(pattern)), .removed, isInverted: true)
        case "Punctuation":
            guard let behavior = PreTokenizer.Behavior(rawValue: behavior ?? "Isolated") else {
                throw unsupported(section, path, "has the unknown behavior \"\(behavior ?? "")\".")
            }
            return .scalars(ScalarSet([.punctuation]), behavior)
        case "Metaspace":
            let scheme = prependScheme ?? (addPrefixSpace ?? true ? "always" : "never")
            guard let scheme = PreTokenizer.PrependScheme(rawValue: scheme) else {
                throw unsupported(section, path, "has the unknown prepend_scheme \"\(scheme)\".")
            }
            return .metaspace(mark: Array((replacement ?? "▁").utf8), scheme, splits: split ?? true)
        default: throw unsupported(section, path)
        }
    }

    /// The tokens that are added before and after a text.
    func surroundings(_ path: String) throws -> (prefix: [TokenID], suffix: [TokenID]) {
        switch type {
        case "ByteLevel": return ([], [])
        case "Sequence":
            return try (processors ?? []).reduce(([], [])) { around, next in
                let inner = try next.surroundings(path)
                return (inner.prefix + around.0, around.1 + inner.suffix)
            }
        case "BertProcessing", "RobertaProcessing":
            guard let cls, let sep else { throw unsupported("post_processor", path, "lacks \"cls\" or \"sep\".") }
            return ([cls.id], [sep.id])
        case "TemplateProcessing":
            var parts: [[TokenID]] = [[]]
            for item in single ?? [] {
                if item.sequence != nil {
                    parts.append([])
                } else if let name = item.specialToken?.id {
                    guard let token = specialTokens?[name] else {
                        throw unsupported("post_processor", path, "does not define \"\(name)\".")
                    }
                    parts[parts.count - 1] += token.ids
                }
            }
            guard parts.count == 2 else {
                throw unsupported("post_processor", path, "must contain the text exactly once.")
            }
            return (parts[0], parts[1])
        default: throw unsupported("post_processor", path)
        }
    }

    func decoderRules(_ path: String) throws -> TokenDecoder.Rules {
        var rules = TokenDecoder.Rules()
        try add(to: &rules, path)
        return rules
    }

    private func add(to rules: inout TokenDecoder.Rules, _ path: String) throws {
        switch type {
        case "Sequence": for decoder in decoders ?? [] { try decoder.add(to: &rules, path) }
        case "ByteLevel": rules.isByteLevel = true
        case "ByteFallback": rules.hasByteTokens = true
        case "Fuse": break
        case "Replace":
            guard let text = pattern?.text else { throw unsupported("decoder", path, "with a regex is not supported.") }
            rules.replacements.append((Array(text.utf8), Array((content ?? "").utf8)))
        case "Strip":
            guard content == " ", (stop ?? 0) == 0, let start, start >= 0 else {
                throw unsupported("decoder", path, "of anything but spaces at the start is not supported.")
            }
            rules.strippedSpaces += min(start, 1 << 20)
        case "Metaspace":
            let mark = Array((replacement ?? "▁").utf8)
            rules.replacements.append((mark, [0x20]))
            if (prependScheme ?? (addPrefixSpace ?? true ? "always" : "never")) != "never" {
                rules.firstTokenMark = mark
            }
        default: throw unsupported("decoder", path)
        }
    }
}
