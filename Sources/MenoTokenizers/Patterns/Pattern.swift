/// A compiled regular expression.
///
/// Matching backtracks, as Oniguruma does, so that the same alternatives win. A match that takes long remembers where it
/// failed, which bounds its time by the product of the lengths of pattern and text.
struct Pattern: Sendable {
    enum Instruction: Sendable {
        case set(Int)
        case repeated(Int, minimum: Int, maximum: Int, PatternNode.Greed)
        /// Continues at the first place, and at the second if that fails.
        case split(Int, Int)
        /// The same, with what the next scalar has to be.
        case guardedSplit(Int, Int, SplitGuard)
        case jump(Int)
        /// The next scalar is in the set (or not); the text's end is in none.
        case nextIn(Int, isNegative: Bool)
        /// The instructions up to `end` match here (or not); matching continues behind them, at the same place.
        case lookahead(end: Int, isNegative: Bool)
        /// The instructions up to `end` match here, and are never tried again.
        case atomic(end: Int)
        case anchor(PatternNode.Anchor)
        case match
    }

    /// The sets, as bits, of which the next scalar has to be in one; `UInt64.max` where this is not known.
    struct SplitGuard: Sendable {
        var first: UInt64
        var second: UInt64
        /// Where to continue when the first way is out of the question: behind all that would fail for the same reason.
        var otherwise: Int
    }

    private static let sizeLimit = 20_000
    private(set) var program: [Instruction] = []
    private(set) var sets: [ScalarSet] = []
    /// As ``SplitGuard/first``, of the whole pattern.
    private(set) var start = UInt64.max
    private(set) var classes: ScalarClasses

    /// - Throws: ``PatternError``.
    init(_ source: String) throws {
        classes = ScalarClasses([])
        try compile(PatternParser.parse(source))
        program.append(.match)
        classes = ScalarClasses(sets)
        addGuards()
    }

    // MARK: Compiling

    private mutating func compile(_ node: PatternNode) throws {
        guard program.count < Self.sizeLimit else {
            throw PatternError(reason: "the pattern is too large once its repetitions are expanded", place: 0)
        }
        switch node {
        case .set(let set): program.append(.set(index(set)))
        case .sequence(let nodes): for node in nodes { try compile(node) }
        case .alternatives(let nodes): try compile(alternatives: nodes[...])
        case .repeated(.set(let set), let minimum, let maximum, let greed) where greed != .lazy:
            program.append(.repeated(index(set), minimum: minimum, maximum: maximum ?? .max, greed))
        case .repeated(let node, let minimum, let maximum, .possessive):
            try compile(.atomic(.repeated(node, minimum: minimum, maximum: maximum, .greedy)))
        case .repeated(let node, let minimum, let maximum, let greed):
            try compile(repeating: node, minimum, maximum, isLazy: greed == .lazy)
        case .lookahead(.set(let set), let isNegative):
            program.append(.nextIn(index(set), isNegative: isNegative))
        case .lookahead(let node, let isNegative):
            try compile(inside: node) { .lookahead(end: $0, isNegative: isNegative) }
        case .atomic(let node): try compile(inside: node) { .atomic(end: $0) }
        case .anchor(let anchor): program.append(.anchor(anchor))
        }
    }

    private mutating func index(_ set: ScalarSet) -> Int {
        if let known = sets.firstIndex(where: { $0.items == set.items }) { return known }
        sets.append(set)
        return sets.count - 1
    }

    private mutating func compile(inside node: PatternNode, _ instruction: (Int) -> Instruction) throws {
        let start = program.count
        program.append(.match)
        try compile(node)
        program.append(.match)
        program[start] = instruction(program.count)
    }

    private mutating func compile(alternatives nodes: ArraySlice<PatternNode>) throws {
        guard nodes.count > 1 else { return try compile(nodes.first!) }
        let split = program.count
        program.append(.match)
        try compile(nodes.first!)
        let jump = program.count
        program.append(.match)
        program[split] = .split(split + 1, program.count)
        try compile(alternatives: nodes.dropFirst())
        program[jump] = .jump(program.count)
    }

    private mutating func compile(repeating node: PatternNode, _ minimum: Int, _ maximum: Int?, isLazy: Bool) throws {
        for _ in 0..<minimum { try compile(node) }
        let optional = maximum.map { $0 - minimum } ?? 1
        var splits: [Int] = []
        for _ in 0..<optional {
            splits.append(program.count)
            program.append(.match)
            try compile(node)
        }
        if maximum == nil { program.append(.jump(splits[0])) }
        for split in splits {
            program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count)
        }
    }

    // MARK: Guards

    /// Instructions that are looked at for one guard.
    private static let guardBudget = 256

    private mutating func addGuards() {
        var budget = Self.guardBudget
        start = required(at: 0, &budget) ?? .max
        for place in program.indices.reversed() {
            guard case .split(let first, let second) = program[place] else { continue }
            budget = Self.guardBudget
            let (ahead, behind) = (required(at: first, &budget) ?? .max, required(at: second, &budget) ?? .max)
            var otherwise = second
            if ahead != .max, case .guardedSplit(_, _, let next) = program[second], next.first == ahead {
                otherwise = next.otherwise
            }
            program[place] = .guardedSplit(
                first, second, SplitGuard(first: ahead, second: behind, otherwise: otherwise))
        }
    }

    /// The sets of which the next scalar has to be in one, if a match is to continue at an instruction; `nil` where it may
    /// continue without a scalar, or this is not known.
    private func required(at place: Int, _ budget: inout Int) -> UInt64? {
        budget -= 1
        guard budget > 0 else { return nil }
        func bit(_ set: Int) -> UInt64? { set < ScalarClasses.limit ? 1 << UInt64(set) : nil }
        switch program[place] {
        case .set(let set): return bit(set)
        case .repeated(let set, let minimum, _, _):
            guard minimum == 0 else { return bit(set) }
            guard let own = bit(set), let next = required(at: place + 1, &budget) else { return nil }
            return own | next
        case .split(let first, let second), .guardedSplit(let first, let second, _):
            guard let ahead = required(at: first, &budget), let behind = required(at: second, &budget) else {
                return nil
            }
            return ahead | behind
        case .jump(let target): return required(at: target, &budget)
        case .atomic: return required(at: place + 1, &budget)
        case .nextIn, .lookahead, .anchor, .match: return nil
        }
    }
}
