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

    /// Memory that is used for piece after piece.
    struct Workspace {
        fileprivate var queue = MergeQueue()
        fileprivate var symbols: [MergeQueue.Symbol] = []
        fileprivate var cache = TokenCache()
    }

    /// Appends the tokens of pieces of a text.
    func encode(
        _ text: AlignedText, _ pieces: [Range<Int>], _ workspace: inout Workspace, into encoding: inout Encoding
    ) {
        // What is used at the same time must not be parts of the same variable.
        var (symbols, cache, queue) = ([MergeQueue.Symbol](), TokenCache(), MergeQueue())
        swap(&symbols, &workspace.symbols)
        swap(&cache, &workspace.cache)
        swap(&queue, &workspace.queue)
        let longest = pieces.reduce(0) { max($0, $1.count) }
        if symbols.count < longest {
            symbols = Array(repeating: MergeQueue.Symbol(id: 0, start: 0, end: 0), count: 2 * longest)
        }
        symbols.withUnsafeMutableBufferPointer { symbols in
            text.bytes.withUnsafeBufferPointer { bytes in
                for piece in pieces { encode(text, bytes, piece, symbols, &queue, &cache, into: &encoding) }
            }
        }
        swap(&symbols, &workspace.symbols)
        swap(&cache, &workspace.cache)
        swap(&queue, &workspace.queue)
    }

    /// - Parameter symbols: room for as many as the piece has bytes.
    private func encode(
        _ text: AlignedText, _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>,
        _ symbols: UnsafeMutableBufferPointer<MergeQueue.Symbol>, _ queue: inout MergeQueue, _ cache: inout TokenCache,
        into encoding: inout Encoding
    ) {
        let stretch = UnsafeBufferPointer(rebasing: bytes[piece])
        let isKept = piece.count <= TokenCache.longest
        let hash = isKept ? TokenCache.hash(stretch, .piece) : 0
        if isKept {
            let isKnown = cache.forEachToken(of: stretch, hash, .piece) { token in
                encoding.append(
                    token.id, piece.lowerBound + Int(token.start)..<piece.lowerBound + Int(token.end), of: text)
            }
            if isKnown { return }
        }
        var count = 0
        if ignoresMerges, let id = vocabulary.id(of: stretch) {
            symbols[0] = MergeQueue.Symbol(id: id, start: piece.lowerBound, end: piece.upperBound)
            count = 1
        } else {
            let add = { (symbol: MergeQueue.Symbol) in
                symbols[count] = symbol
                count += 1
            }
            switch alphabet {
            case .bytes(let tokens, let unknown): unknown.symbols(of: bytes, piece, tokens, add)
            case .characters(let unknown): unknown.symbols(of: bytes, piece, vocabulary, add)
            }
            var start = 0
            for index in 1..<max(1, count) where !joints.mayJoin(symbols[index - 1].id, symbols[index].id) {
                merge(bytes, UnsafeMutableBufferPointer(rebasing: symbols[start..<index]), piece, &queue, &cache)
                start = index
            }
            merge(bytes, UnsafeMutableBufferPointer(rebasing: symbols[start..<count]), piece, &queue, &cache)
        }
        for symbol in symbols[..<count] where symbol.start < symbol.end {
            encoding.append(symbol.id, Int(symbol.start)..<Int(symbol.end), of: text)
        }
        guard isKept else { return }
        cache.insert(stretch, hash, .piece) { add in
            for symbol in symbols[..<count] where symbol.start < symbol.end {
                add(.init(symbol, from: piece.lowerBound))
            }
        }
    }

    /// Merges the symbols of a run, across whose ends nothing merges.
    @inline(__always)
    private func merge(
        _ bytes: UnsafeBufferPointer<UInt8>, _ run: UnsafeMutableBufferPointer<MergeQueue.Symbol>, _ piece: Range<Int>,
        _ queue: inout MergeQueue, _ cache: inout TokenCache
    ) {
        guard run.count > 2 else { return queue.merge(run, merges) }
        let range = Int(run[0].start)..<Int(run[run.count - 1].end)
        guard range.count <= TokenCache.longest, range != piece else { return queue.merge(run, merges) }
        let stretch = UnsafeBufferPointer(rebasing: bytes[range])
        let hash = TokenCache.hash(stretch, .run)
        var count = 0
        let isKnown = cache.forEachToken(of: stretch, hash, .run) { token in
            run[count] = MergeQueue.Symbol(
                id: token.id, start: range.lowerBound + Int(token.start), end: range.lowerBound + Int(token.end))
            count += 1
        }
        if isKnown {
            for index in count..<run.count { run[index].end = run[index].start }
            return
        }
        queue.merge(run, merges)
        cache.insert(stretch, hash, .run) { add in
            for symbol in run where symbol.start < symbol.end { add(.init(symbol, from: range.lowerBound)) }
        }
    }
}

extension TokenCache.Token {
    fileprivate init(_ symbol: MergeQueue.Symbol, from start: Int) {
        self.init(id: symbol.id, start: UInt16(Int(symbol.start) - start), end: UInt16(Int(symbol.end) - start))
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

    @inline(__always)
    func symbols(
        of bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ vocabulary: Vocabulary,
        _ emit: (MergeQueue.Symbol) -> Void
    ) {
        var place = range.lowerBound
        var pending: Range<Int>?
        while place < range.upperBound {
            let end = min(place + utf8Length(bytes[place]), range.upperBound)
            if let id = vocabulary.id(ofCharacter: UnsafeBufferPointer(rebasing: bytes[place..<end])) {
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
    func symbols(
        of bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ tokens: [TokenID?],
        _ emit: (MergeQueue.Symbol) -> Void
    ) {
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
