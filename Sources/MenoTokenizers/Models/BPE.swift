/// Byte-pair encoding: the smallest parts of a piece are merged by a ranked list of pairs.
struct BPE: Sendable {
    /// What a piece is made of before any merge.
    enum Alphabet: Sendable {
        /// Bytes; of those without a token, ``UnknownCharacters`` tells as of characters.
        case bytes([TokenID?], UnknownCharacters)
        /// Characters; what becomes of those without a token, ``UnknownCharacters`` tells.
        case characters(UnknownCharacters)
    }

    let vocabulary: Vocabulary
    let merges: MergeTable
    let alphabet: Alphabet
    /// Whether a piece that is a token is that token, whatever the merges say.
    let ignoresMerges: Bool
    private let joints: MergeJoints

    init(vocabulary: Vocabulary, merges: MergeTable, alphabet: Alphabet, ignoresMerges: Bool) {
        (self.vocabulary, self.merges, self.alphabet) = (vocabulary, merges, alphabet)
        self.ignoresMerges = ignoresMerges
        joints = MergeJoints(merges) { token in
            (alphabet.symbol(at: .first, of: token, vocabulary), alphabet.symbol(at: .last, of: token, vocabulary))
        }
    }

    /// Appends the tokens of `text[range]`.
    func encode(_ text: AlignedText, _ range: Range<Int>, _ queue: inout MergeQueue, into encoding: inout Encoding) {
        if ignoresMerges, let id = vocabulary.id(of: text.bytes[range]) {
            return encoding.append(id, range, of: text)
        }
        queue.removeAll()
        switch alphabet {
        case .bytes(let tokens, let unknown):
            unknown.symbols(of: text.bytes, range, tokens) { queue.append($0) }
        case .characters(let unknown):
            unknown.symbols(of: text.bytes, range, vocabulary) { queue.append($0) }
        }
        queue.merge(merges, joints)
        for symbol in queue.symbols where symbol.start < symbol.end {
            encoding.append(symbol.id, Int(symbol.start)..<Int(symbol.end), of: text)
        }
    }
}

extension BPE.Alphabet {
    enum End { case first, last }

    /// The symbol that a token begins or ends with before any merge; `nil` where that is not known.
    fileprivate func symbol(at end: End, of id: TokenID, _ vocabulary: Vocabulary) -> TokenID? {
        let token = vocabulary.bytes(of: id)
        guard let byte = end == .first ? token.first : token.last else { return nil }
        switch self {
        case .bytes(let tokens, _): return tokens[Int(byte)]
        case .characters(let unknown):
            // Tokens that stand for something else than what their names say.
            guard UnknownCharacters.byte(of: token) == nil, id != unknown.unknown else { return nil }
            let start =
                end == .first ? token.startIndex : token.lastIndex { $0 & 0xC0 != 0x80 } ?? token.startIndex
            let length = min(utf8Length(token[start]), token.endIndex - start)
            if let id = vocabulary.id(of: token[start..<start + length]) { return id }
            return unknown.byteTokens.map { $0[Int(byte)] } ?? unknown.unknown
        }
    }
}

/// How characters without a token are handled.
struct UnknownCharacters: Sendable {
    /// The tokens of all bytes, `<0x00>` to `<0xFF>`: such a character becomes its bytes.
    var byteTokens: [TokenID]?
    /// Stands for such a character where there are no bytes; without it the character is left out.
    var unknown: TokenID?
    /// Whether neighbouring unknown characters are one token.
    var areFused: Bool

    func symbols(
        of bytes: [UInt8], _ range: Range<Int>, _ vocabulary: Vocabulary, _ emit: (MergeQueue.Symbol) -> Void
    ) {
        var place = range.lowerBound
        var pending: Range<Int>?
        while place < range.upperBound {
            let end = min(place + utf8Length(bytes[place]), range.upperBound)
            if let id = vocabulary.id(ofCharacter: bytes[place..<end]) {
                flush(&pending, emit)
                emit(.init(id: id, start: place, end: end))
            } else if let byteTokens {
                for index in place..<end {
                    emit(.init(id: byteTokens[Int(bytes[index])], start: index, end: index + 1))
                }
            } else {
                if !areFused { flush(&pending, emit) }
                pending = (pending?.lowerBound ?? place)..<end
            }
            place = end
        }
        flush(&pending, emit)
    }

    /// Of a text whose characters are bytes.
    @inline(__always)
    func symbols(of bytes: [UInt8], _ range: Range<Int>, _ tokens: [TokenID?], _ emit: (MergeQueue.Symbol) -> Void) {
        var pending: Range<Int>?
        for place in range {
            if let id = tokens[Int(bytes[place])] {
                flush(&pending, emit)
                emit(.init(id: id, start: place, end: place + 1))
            } else {
                if !areFused { flush(&pending, emit) }
                pending = (pending?.lowerBound ?? place)..<place + 1
            }
        }
        flush(&pending, emit)
    }

    private func flush(_ pending: inout Range<Int>?, _ emit: (MergeQueue.Symbol) -> Void) {
        if let range = pending, let unknown {
            emit(.init(id: unknown, start: range.lowerBound, end: range.upperBound))
        }
        pending = nil
    }

    /// The tokens of all bytes, if the vocabulary has all of them.
    static func byteTokens(of vocabulary: Vocabulary) -> [TokenID]? {
        let tokens = (0..<256).compactMap { byte in
            vocabulary.id(of: "<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">")
        }
        return tokens.count == 256 ? tokens : nil
    }

    /// The byte that a token such as `<0x0A>` stands for.
    static func byte(of token: ArraySlice<UInt8>) -> UInt8? {
        guard token.count == 6, token.starts(with: "<0x".utf8), token.last == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: token.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
    }
}
