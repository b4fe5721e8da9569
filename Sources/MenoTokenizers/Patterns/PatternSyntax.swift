/// A regular expression as a tree.
indirect enum PatternNode {
    enum Greed { case greedy, lazy, possessive }
    enum Anchor { case start, end, lineStart, lineEnd, wordBoundary, notWordBoundary }

    case set(ScalarSet)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    /// `maximum` `nil`: without limit.
    case repeated(PatternNode, minimum: Int, maximum: Int?, Greed)
    case lookahead(PatternNode, isNegative: Bool)
    case atomic(PatternNode)
    case anchor(Anchor)

    /// Whether it may match nothing.
    var mayBeEmpty: Bool {
        switch self {
        case .set: false
        case .sequence(let nodes): nodes.allSatisfy(\.mayBeEmpty)
        case .alternatives(let nodes): nodes.contains(where: \.mayBeEmpty)
        case .repeated(let node, let minimum, _, _): minimum == 0 || node.mayBeEmpty
        case .lookahead, .anchor: true
        case .atomic(let node): node.mayBeEmpty
        }
    }
}

/// Why a regular expression cannot be used.
struct PatternError: Error, CustomStringConvertible {
    var reason: String
    /// The scalar of the pattern where it was noticed.
    var place: Int
    var description: String { "character \(place + 1): \(reason)" }
}

/// Reads the regular expressions that tokenizers use: Oniguruma's syntax without captures that are referred to,
/// lookbehind, and scripts other than Han.
struct PatternParser {
    private static let depthLimit = 64
    private let scalars: [Unicode.Scalar]
    private var place = 0
    private var depth = 0
    private var ignoresCase = false

    private init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

    static func parse(_ pattern: String) throws -> PatternNode {
        var parser = PatternParser(pattern)
        let node = try parser.alternatives()
        guard parser.place == parser.scalars.count else { throw parser.error("an unexpected ')'") }
        return node
    }

    private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    private func error(_ reason: String) -> PatternError { PatternError(reason: reason, place: place) }

    private mutating func accept(_ text: String) -> Bool {
        guard scalars[place...].starts(with: text.unicodeScalars) else { return false }
        place += text.unicodeScalars.count
        return true
    }

    private mutating func take() throws -> Unicode.Scalar {
        guard let next else { throw error("the pattern ends too early") }
        place += 1
        return next
    }

    private mutating func alternatives() throws -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw error("groups are nested more than \(Self.depthLimit) deep") }
        let outer = ignoresCase
        defer { ignoresCase = outer }
        var nodes = [try sequence()]
        while accept("|") { nodes.append(try sequence()) }
        return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
    }

    private mutating func sequence() throws -> PatternNode {
        var nodes: [PatternNode] = []
        while let next, next != "|", next != ")" {
            guard let node = try atom() else { continue }
            nodes.append(try repeated(node))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    /// `nil` for what stands for nothing by itself, such as `(?i)`.
    private mutating func atom() throws -> PatternNode? {
        if accept("(") { return try group() }
        if accept("[") { return .set(ScalarSet([try bracket(ignoresCase: ignoresCase)])) }
        if accept("^") { return .anchor(.lineStart) }
        if accept("$") { return .anchor(.lineEnd) }
        if accept("\\b") { return .anchor(.wordBoundary) }
        if accept("\\B") { return .anchor(.notWordBoundary) }
        if accept("\\A") { return .anchor(.start) }
        if accept("\\z") { return .anchor(.end) }
        if accept("\\w") { return .set(ScalarSet([.wordsAlone])) }
        if accept("\\W") { return .set(ScalarSet([.complement([.wordsAlone])])) }
        if accept(".") { return .set(ScalarSet([.complement([.range(10...10)])])) }
        if let next, "*+?".unicodeScalars.contains(next) { throw error("'\(next)' has nothing to repeat") }
        let item = try item()
        // Only of characters and of sets in brackets, as Oniguruma has it.
        if ignoresCase, case .range = item { return .set(ScalarSet([.caseless([item])])) }
        return .set(ScalarSet([item]))
    }

    private mutating func group() throws -> PatternNode? {
        var wrap: (PatternNode) -> PatternNode = { $0 }
        var inner = ignoresCase
        if accept("?=") {
            wrap = { .lookahead($0, isNegative: false) }
        } else if accept("?!") {
            wrap = { .lookahead($0, isNegative: true) }
        } else if accept("?>") {
            wrap = { .atomic($0) }
        } else if accept("?i)") {
            ignoresCase = true
            return nil
        } else if accept("?i:") {
            inner = true
        } else if accept("?-i:") {
            inner = false
        } else if !accept("?:"), next == "?" {
            throw error("this kind of group is not supported")
        }
        let outer = ignoresCase
        ignoresCase = inner
        let node = try alternatives()
        ignoresCase = outer
        guard accept(")") else { throw error("a group is not closed") }
        return wrap(node)
    }

    private mutating func repeated(_ node: PatternNode) throws -> PatternNode {
        var node = node
        while case let start = place, let (minimum, maximum) = try quantifier() {
            // Behind bounds in braces a `+` is a repetition of its own, and so is a `?` behind a single number.
            let isBraced = scalars[start] == "{"
            let isNumber = isBraced && !scalars[start..<place].contains(",")
            let greed: PatternNode.Greed =
                !isBraced && accept("+") ? .possessive : !isNumber && accept("?") ? .lazy : .greedy
            guard !node.mayBeEmpty else { throw error("a repetition of something that may be empty is not supported") }
            node = .repeated(node, minimum: minimum, maximum: maximum, greed)
        }
        return node
    }

    private mutating func quantifier() throws -> (Int, Int?)? {
        if accept("*") { return (0, nil) }
        if accept("+") { return (1, nil) }
        if accept("?") { return (0, 1) }
        let start = place
        guard accept("{") else { return nil }
        let minimum = number()
        var maximum = minimum
        if accept(",") { maximum = number() }
        guard accept("}"), minimum != nil || maximum != nil else {
            place = start
            throw error("'{' does not begin a repetition such as {2,3}")
        }
        guard (minimum ?? 0) <= (maximum ?? .max) else {
            throw error("the bounds of a repetition are in the wrong order")
        }
        return (minimum ?? 0, maximum)
    }

    private mutating func number() -> Int? {
        let start = place
        while let next, ("0"..."9").contains(next), place - start < 4 { place += 1 }
        return Int(String(String.UnicodeScalarView(scalars[start..<place])))
    }

    /// What stands between `[` and `]`.
    /// - Parameter ignoresCase: whether what differs in case alone is in it too; a set within another leaves that to it.
    private mutating func bracket(ignoresCase: Bool = false) throws -> ScalarSet.Item {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw error("groups are nested more than \(Self.depthLimit) deep") }
        let isNegated = accept("^")
        var items: [ScalarSet.Item] = []
        var operands: [ScalarSet.Item] = []
        while let next, next != "]" || items.isEmpty {
            if accept("[:") {
                items.append(try namedSet())
                continue
            }
            if accept("[") {
                items.append(try bracket())
                continue
            }
            if accept("&&") {
                operands.append(.union(items))
                items = []
                continue
            }
            let first = try item()
            guard case .range(let low) = first, self.next == "-", place + 1 < scalars.count, scalars[place + 1] != "]"
            else {
                items.append(first)
                continue
            }
            place += 1
            guard case .range(let high) = try item(), low.lowerBound <= high.lowerBound else {
                throw error("the ends of a range are in the wrong order or not characters")
            }
            items.append(.range(low.lowerBound...high.lowerBound))
        }
        guard accept("]") else { throw error("a set is not closed") }
        if !operands.isEmpty {
            items = [.complement((operands + [.union(items)]).map { .complement([$0]) })]
        }
        if ignoresCase { items = [.caseless(items)] }
        return isNegated ? .complement(items) : .union(items)
    }

    /// What `[:` begins within a set: `[:alpha:]`, `[:^space:]`.
    private mutating func namedSet() throws -> ScalarSet.Item {
        let isNegated = accept("^")
        for (name, item) in Self.namedSets where accept(name + ":]") { return isNegated ? .complement([item]) : item }
        let known = Self.namedSets.map(\.name).joined(separator: ", ")
        throw error("'[:' does not begin a supported set; supported: \(known)")
    }

    private static let namedSets: [(name: String, item: ScalarSet.Item)] = [
        ("alpha", .alphabetic), ("digit", .categories(ScalarCategory.decimalNumbers)),
        ("alnum", .union([.alphabetic, .categories(ScalarCategory.decimalNumbers)])), ("space", .whitespace),
        ("word", .words), ("punct", .categories(ScalarCategory.punctuation | ScalarCategory.symbols)),
        ("cntrl", .categories(ScalarCategory.mask("Cc")!)),
        ("xdigit", .union([.range(0x30...0x39), .range(0x41...0x46), .range(0x61...0x66)])),
    ]

    /// A character or an escape.
    private mutating func item() throws -> ScalarSet.Item {
        let scalar = try take()
        guard scalar == "\\" else { return .range(scalar.value...scalar.value) }
        let escaped = try take()
        switch escaped {
        case "s": return .whitespace
        case "S": return .complement([.whitespace])
        case "d": return .categories(ScalarCategory.decimalNumbers)
        case "D": return .complement([.categories(ScalarCategory.decimalNumbers)])
        case "w": return .words
        case "W": return .complement([.words])
        case "p", "P": return try category(isNegated: escaped == "P")
        case "n": return .range(10...10)
        case "r": return .range(13...13)
        case "t": return .range(9...9)
        case "f": return .range(12...12)
        case "v": return .range(11...11)
        case "u": return try hexadecimal(digits: 4)
        case "x":
            guard accept("{") else { return try hexadecimal(digits: 2) }
            let item = try hexadecimal(digits: 8)
            guard accept("}") else { throw error("'\\x{' is not closed") }
            return item
        default:
            guard !escaped.properties.isAlphabetic, !("0"..."9").contains(escaped) else {
                throw error("the escape \\\(escaped) is not supported")
            }
            return .range(escaped.value...escaped.value)
        }
    }

    private mutating func category(isNegated: Bool) throws -> ScalarSet.Item {
        var name = ""
        var isNegated = isNegated
        guard accept("{") else { throw error("'\\p' has no name in braces") }
        if accept("^") { isNegated.toggle() }
        while let next, next != "}" {
            name.unicodeScalars.append(next)
            place += 1
        }
        guard accept("}") else { throw error("'\\p{' is not closed") }
        let item = name == "Han" ? .han : ScalarCategory.mask(name).map(ScalarSet.Item.categories)
        guard let item else {
            throw error("the property \"\(name)\" is not supported; only general categories and Han are")
        }
        return isNegated ? .complement([item]) : item
    }

    private mutating func hexadecimal(digits: Int) throws -> ScalarSet.Item {
        var value: UInt32 = 0
        var count = 0
        while count < digits, let next, let digit = Character(next).hexDigitValue {
            guard value < 1 << 24 else { throw error("a number outside of Unicode") }
            value = value << 4 | UInt32(digit)
            count += 1
            place += 1
        }
        guard count > 0 else { throw error("hexadecimal digits are missing") }
        return .range(value...value)
    }
}
