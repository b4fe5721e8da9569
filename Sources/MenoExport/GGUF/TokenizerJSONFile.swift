internal import Foundation
internal import MenoFormats

/// What a `tokenizer.json` holds, as far as GGUF files have a place for it.
struct TokenizerJSONFile {
    struct Added {
        var id: Int
        var name: String
        var isSpecial: Bool
    }

    let path: String
    private(set) var modelType = "BPE"
    private(set) var hasByteFallback = false
    private(set) var tokens: [(id: Int, name: String)] = []
    private(set) var merges: [(left: String, right: String)] = []
    private(set) var added: [Added] = []
    private(set) var preTokenizers: [[String: Any]] = []
    private var normalizers: [[String: Any]] = []
    private var unknownToken: String?

    init(_ url: URL) throws {
        path = url.path
        let file = try MemoryMappedFile(contentsOf: url)
        try file.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes, path: url.path, name: "file")
            try scanner.object { scanner, key in
                switch key {
                case "added_tokens":
                    let all = try Self.json(&scanner) as? [[String: Any]] ?? []
                    added = all.compactMap { token in
                        guard let id = token["id"] as? Int, let name = token["content"] as? String else { return nil }
                        return Added(id: id, name: name, isSpecial: token["special"] as? Bool ?? false)
                    }
                case "normalizer": normalizers = Self.steps(try Self.json(&scanner), "normalizers")
                case "pre_tokenizer": preTokenizers = Self.steps(try Self.json(&scanner), "pretokenizers")
                case "model": try scanModel(&scanner)
                default: try scanner.skip()
                }
            }
            try scanner.end()
        }
    }

    private mutating func scanModel(_ scanner: inout JSONScanner) throws {
        try scanner.object { scanner, key in
            switch key {
            case "type": modelType = try scanner.string()
            case "vocab" where try scanner.kind() == .array:
                modelType = "Unigram"
                try scanner.skip()
            case "vocab": try scanner.object { tokens.append((try $0.count(), $1)) }
            case "merges": try scanner.array { merges.append(try Self.merge(&$0)) }
            case "byte_fallback": hasByteFallback = try Self.json(&scanner) as? Bool ?? false
            case "unk_token": unknownToken = try Self.json(&scanner) as? String
            default: try scanner.skip()
            }
        }
    }

    private static func merge(_ scanner: inout JSONScanner) throws -> (left: String, right: String) {
        if try scanner.kind() == .array {
            var names: [String] = []
            try scanner.array { names.append(try $0.string()) }
            return (names.first ?? "", names.last ?? "")
        }
        let names = try scanner.string().split(separator: " ", omittingEmptySubsequences: false)
        return (String(names.first ?? ""), String(names.last ?? ""))
    }

    private static func json(_ scanner: inout JSONScanner) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(scanner.raw()), options: .fragmentsAllowed)
    }

    /// The steps of a section: one, or those of a sequence.
    private static func steps(_ section: Any, _ list: String) -> [[String: Any]] {
        guard let section = section as? [String: Any] else { return [] }
        return section[list] as? [[String: Any]] ?? [section]
    }

    var isByteLevel: Bool { (preTokenizers + normalizers).contains { $0["type"] as? String == "ByteLevel" } }

    /// Whether a space is put before a text.
    var addsSpace: Bool {
        normalizers.contains { $0["type"] as? String == "Prepend" }
            || preTokenizers.contains {
                $0["type"] as? String == "Metaspace" && $0["prepend_scheme"] as? String != "never"
            }
    }

    var unknownID: Int32? { unknownToken.flatMap { name in tokens.first { $0.name == name }.map { Int32($0.id) } } }
}
