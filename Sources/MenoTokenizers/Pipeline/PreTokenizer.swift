/// How a text is cut into the pieces that a model sees one by one: the `pre_tokenizer` of a `tokenizer.json`.
enum PreTokenizer: Sendable {
    /// What becomes of the separators that a split finds.
    enum Behavior: String, Sendable {
        case removed = "Removed", isolated = "Isolated", mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext", contiguous = "Contiguous"
    }

    /// Where `Metaspace` puts its mark before a text.
    enum PrependScheme: String, Sendable { case always, first, never }

    case sequence([PreTokenizer])
    /// - `isInverted`: what lies between the matches are the separators.
    case split(Normalizer.Search, Behavior, isInverted: Bool)
    case scalars(ScalarSet, Behavior)
    case metaspace(mark: [UInt8], PrependScheme, splits: Bool)
    /// GPT-2's: a space before the text unless there is one, then its pattern.
    case byteLevel(addsPrefixSpace: Bool, Pattern?)

    /// A text and the ranges of its pieces.
    struct Pieces {
        var text: AlignedText
        var ranges: [Range<Int>]
        /// Whether the text is its bytes' stand-ins to the steps that follow: it went through `ByteLevel`. To a `Digits` after
        /// it, the byte BC is a fraction (`¼`) in every character that it is part of. Falcon's tokenizer works this way.
        var areStandIns = false
        var workspace = SplitWorkspace()
    }

    func apply(to pieces: inout Pieces) {
        switch self {
        case .sequence(let preTokenizers): for preTokenizer in preTokenizers { preTokenizer.apply(to: &pieces) }
        case .split(.pattern(let pattern), let behavior, let isInverted):
            Self.split(&pieces, behavior, isInverted: isInverted, by: pattern)
        case .split(.text(let searched), let behavior, let isInverted):
            let text = pieces.text
            let wanted = pieces.areStandIns ? ByteCharacters.decode(searched[...]) ?? searched : searched
            Self.split(&pieces, behavior, isInverted: isInverted) { text.occurrences(of: wanted, in: $0) }
        case .scalars(let set, let behavior): Self.split(&pieces, behavior, at: set)
        case .metaspace(let mark, let scheme, let splits):
            Self.replaceSpaces(&pieces, mark)
            Self.prepend(mark, to: &pieces) { scheme == .always || scheme == .first && $0 == 0 }
            guard splits else { return }
            let text = pieces.text
            Self.split(&pieces, .mergedWithNext, isInverted: false) { text.occurrences(of: mark, in: $0) }
        case .byteLevel(let addsPrefixSpace, let pattern):
            if addsPrefixSpace { Self.prepend([0x20], to: &pieces) { _ in true } }
            if let pattern { Self.split(&pieces, .isolated, isInverted: false, by: pattern) }
            pieces.areStandIns = true
            pieces.workspace.forget()
        }
    }

    private static func replaceSpaces(_ pieces: inout Pieces, _ mark: [UInt8]) {
        guard mark != [0x20] else { return }
        edit(&pieces) { range, old, new in
            for index in range {
                if old.bytes[index] == 0x20 {
                    new.put(mark, at: index, of: old)
                } else {
                    new.keep(index..<index + 1, of: old)
                }
            }
        }
    }

    /// Puts a prefix before each piece that does not begin with it and whose origin `condition` takes.
    private static func prepend(_ prefix: [UInt8], to pieces: inout Pieces, where condition: (_ origin: Int) -> Bool) {
        edit(&pieces) { range, old, new in
            if !old.bytes[range].starts(with: prefix), condition(old.origin(range.lowerBound)) {
                new.put(prefix, at: range.lowerBound, of: old)
            }
            new.keep(range, of: old)
        }
    }

    private static func edit(
        _ pieces: inout Pieces, _ write: (Range<Int>, AlignedText, inout AlignedText.Writer) -> Void
    ) {
        let ranges = pieces.ranges
        var edited: [Range<Int>] = []
        pieces.text.rewrite(upTo: ranges.last?.upperBound) { old, new in
            for range in ranges {
                let start = new.bytes.count
                write(range, old, &new)
                edited.append(start..<new.bytes.count)
            }
        }
        pieces.ranges = edited
        pieces.workspace.forget()
    }

    private static func split(
        _ pieces: inout Pieces, _ behavior: Behavior, isInverted: Bool, _ find: (Range<Int>) -> [Range<Int>]
    ) {
        pieces.ranges = pieces.ranges.flatMap { cut($0, at: find($0), behavior, isInverted: isInverted) }
    }

    /// The parts of a piece in which something was found.
    static func cut(
        _ range: Range<Int>, at matches: [Range<Int>], _ behavior: Behavior, isInverted: Bool
    ) -> [Range<Int>] {
        if matches.isEmpty, !isInverted { return range.isEmpty ? [] : [range] }
        var parts: [(range: Range<Int>, isSeparator: Bool)] = []
        var place = range.lowerBound
        for match in matches {
            if place < match.lowerBound { parts.append((place..<match.lowerBound, isInverted)) }
            parts.append((match, !isInverted))
            place = match.upperBound
        }
        if place < range.upperBound { parts.append((place..<range.upperBound, isInverted)) }
        return join(parts, behavior).filter { !$0.isEmpty }
    }

    private static func join(_ parts: [(range: Range<Int>, isSeparator: Bool)], _ behavior: Behavior) -> [Range<Int>] {
        switch behavior {
        case .removed: return parts.filter { !$0.isSeparator }.map(\.range)
        case .isolated: return parts.map(\.range)
        case .contiguous: return merged(parts) { $0.isSeparator == $1.isSeparator }
        case .mergedWithPrevious: return merged(parts) { $1.isSeparator && !$0.isSeparator }
        case .mergedWithNext: return merged(parts) { $0.isSeparator && !$1.isSeparator }
        }
    }

    private static func merged(
        _ parts: [(range: Range<Int>, isSeparator: Bool)],
        where joins: ((range: Range<Int>, isSeparator: Bool), (range: Range<Int>, isSeparator: Bool)) -> Bool
    ) -> [Range<Int>] {
        var result: [Range<Int>] = []
        for (index, part) in parts.enumerated() {
            if index > 0, joins(parts[index - 1], part) {
                result[result.count - 1] = result[result.count - 1].lowerBound..<part.range.upperBound
            } else {
                result.append(part.range)
            }
        }
        return result
    }
}
