/// What tokens mean as text: the `decoder` of a `tokenizer.json`.
struct TokenDecoder: Sendable {
    /// How the names of tokens are written.
    struct Rules: Sendable {
        /// In GPT-2's stand-ins for bytes.
        var isByteLevel = false
        /// With tokens such as `<0x0A>` for bytes.
        var hasByteTokens = false
        var replacements: [(from: [UInt8], to: [UInt8])] = []
        /// The spaces that a text loses at its start, because encoding put them there.
        var strippedSpaces = 0
        /// The first token of a text loses its marks for spaces (`Metaspace`).
        var firstTokenMark: [UInt8]?
    }

    /// What each token means as text.
    private let pieces: [[UInt8]]
    /// The tokens that mean one byte, which need not be a character by itself.
    private let isByte: [Bool]
    private let rules: Rules
    private let names: Vocabulary

    /// - Parameter names: the tokens' names; an added token that is found in normalised text is shown as it is found.
    init(_ names: Vocabulary, _ rules: Rules) {
        self.names = names
        self.rules = rules
        var isByte = [Bool](repeating: false, count: names.count)
        pieces = (0..<names.count).map { id in
            let name = names.bytes(of: TokenID(id))
            if rules.hasByteTokens, let byte = UnknownCharacters.byte(of: name) {
                isByte[id] = true
                return [byte]
            }
            if rules.isByteLevel { return ByteCharacters.decode(name) ?? Array(name) }
            return rules.replacements.reduce(Array(name)) { Self.replace($1.from, by: $1.to, in: $0) }
        }
        self.isByte = isByte
    }

    /// The text of tokens of the vocabulary.
    func text(of ids: [TokenID]) -> String {
        var bytes: [UInt8] = []
        var index = 0
        while index < ids.count {
            let id = Int(ids[index])
            if isByte[id] {
                let run = ids[index...].prefix { isByte[Int($0)] }
                bytes += Self.characters(run.map { pieces[Int($0)][0] })
                index += run.count
                continue
            }
            if index == 0, let mark = rules.firstTokenMark {
                bytes += Self.replace(mark, by: [], in: Array(names.bytes(of: ids[0])))
            } else {
                bytes += pieces[id]
            }
            index += 1
        }
        let spaces = bytes.prefix(rules.strippedSpaces).prefix { $0 == 0x20 }.count
        return String(decoding: bytes.dropFirst(spaces), as: UTF8.self)
    }

    /// Byte tokens in a row: themselves where they are UTF-8, else U+FFFD for each.
    private static func characters(_ bytes: [UInt8]) -> [UInt8] {
        if String(validating: bytes, as: UTF8.self) != nil { return bytes }
        return bytes.flatMap { _ in Array("\u{FFFD}".utf8) }
    }

    private static func replace(_ searched: [UInt8], by replacement: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        guard let first = searched.first, bytes.contains(first) else { return bytes }
        var result: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.first {
            let matches = byte == first && rest.starts(with: searched)
            result += matches ? replacement[...] : [byte]
            rest = rest.dropFirst(matches ? searched.count : 1)
        }
        return result
    }
}
