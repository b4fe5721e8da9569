/// A compiled regular expression.
///
/// Matching backtracks, as Oniguruma does, so that the same alternatives win. A match that takes long remembers where it
/// failed, which bounds its time by the product of the lengths of pattern and text.
struct Pattern: Sendable {
    private enum Instruction: Sendable {
        case set(Int)
        case repeated(Int, minimum: Int, maximum: Int, PatternNode.Greed)
        /// Goes on at the first place, and at the second if that fails.
        case split(Int, Int)
        case jump(Int)
        /// The next scalar is in the set (or not); the text's end is in none.
        case nextIn(Int, isNegative: Bool)
        /// The instructions up to `end` match here (or not); matching goes on behind them, at the same place.
        case lookahead(end: Int, isNegative: Bool)
        /// The instructions up to `end` match here, and are never tried again.
        case atomic(end: Int)
        case anchor(PatternNode.Anchor)
        case match
    }

    /// Where to go on when a path fails: at `place`, then at each place before it down to `lowest`.
    private struct Choice {
        var instruction: Int
        var place: Int
        var lowest: Int
    }

    private struct State: Hashable {
        var instruction: Int
        var place: Int
    }

    private static let sizeLimit = 20_000
    private static let rememberAfter = 4_096
    private var program: [Instruction] = []
    private var sets: [ScalarSet] = []
    private static let word = ScalarSet([.wordsAlone])

    /// - Throws: ``PatternError``.
    init(_ source: String) throws {
        try compile(PatternParser.parse(source))
        program.append(.match)
    }

    /// The non-overlapping matches from left to right, without empty ones right behind another.
    func matches(in text: ScalarText) -> [Range<Int>] {
        var matches: [Range<Int>] = []
        var choices: [Choice] = []
        text.scalars.withUnsafeBufferPointer { scalars in
            var start = 0
            var last: Int?
            while start <= scalars.count {
                if let end = run(0, at: start, scalars, &choices), end > start || end != last {
                    matches.append(text.offsets[start]..<text.offsets[end])
                    start = end
                    last = end
                } else {
                    start += 1
                }
            }
        }
        return matches
    }

    // MARK: Matching

    /// - Returns: the end of the match that begins with `instruction` at `start`.
    private func run(
        _ instruction: Int, at start: Int, _ text: UnsafeBufferPointer<UInt32>, _ choices: inout [Choice]
    ) -> Int? {
        let floor = choices.count
        defer { choices.removeLast(choices.count - floor) }
        var (pc, place) = (instruction, start)
        var steps = 0
        var failed: Set<State> = []
        while true {
            if let next = step(&pc, &place, text, &choices) {
                if next { return place }
                continue
            }
            repeat {
                guard let choice = Self.pop(&choices, floor) else { return nil }
                (pc, place) = choice
                steps += 1
            } while steps > Self.rememberAfter && !failed.insert(State(instruction: pc, place: place)).inserted
        }
    }

    /// Executes one instruction.
    /// - Returns: `true` at the end of the program, `nil` when the path fails.
    @inline(__always)
    private func step(
        _ pc: inout Int, _ place: inout Int, _ text: UnsafeBufferPointer<UInt32>, _ choices: inout [Choice]
    ) -> Bool? {
        switch program[pc] {
        case .set(let set):
            guard place < text.count, sets[set].contains(text[place]) else { return nil }
            place += 1
        case .repeated(let set, let minimum, let maximum, let greed):
            let lowest = place + minimum
            let limit = maximum < text.count - place ? place + maximum : text.count
            var end = place
            while end < limit, sets[set].contains(text[end]) { end += 1 }
            guard end >= lowest else { return nil }
            if greed == .greedy, end > lowest {
                choices.append(Choice(instruction: pc + 1, place: end - 1, lowest: lowest))
            }
            place = end
        case .split(let first, let second):
            choices.append(Choice(instruction: second, place: place, lowest: place))
            pc = first
            return false
        case .jump(let target):
            pc = target
            return false
        case .nextIn(let set, let isNegative):
            guard (place < text.count && sets[set].contains(text[place])) != isNegative else { return nil }
        case .lookahead(let end, let isNegative):
            guard (run(pc + 1, at: place, text, &choices) != nil) != isNegative else { return nil }
            pc = end
            return false
        case .atomic(let end):
            guard let reached = run(pc + 1, at: place, text, &choices) else { return nil }
            (pc, place) = (end, reached)
            return false
        case .anchor(let anchor):
            guard holds(anchor, place, text) else { return nil }
        case .match:
            return true
        }
        pc += 1
        return false
    }

    private static func pop(_ choices: inout [Choice], _ floor: Int) -> (Int, Int)? {
        guard choices.count > floor else { return nil }
        let last = choices.count - 1
        let choice = choices[last]
        if choice.place > choice.lowest { choices[last].place -= 1 } else { choices.removeLast() }
        return (choice.instruction, choice.place)
    }

    private func holds(_ anchor: PatternNode.Anchor, _ place: Int, _ text: UnsafeBufferPointer<UInt32>) -> Bool {
        switch anchor {
        case .start: return place == 0
        case .end: return place == text.count
        case .lineStart: return place == 0 || place < text.count && text[place - 1] == 10
        case .lineEnd: return place == text.count || text[place] == 10
        case .wordBoundary, .notWordBoundary:
            let before = place > 0 && Self.word.contains(text[place - 1])
            let after = place < text.count && Self.word.contains(text[place])
            return (before != after) == (anchor == .wordBoundary)
        }
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
}

/// A text as scalars, with the place of each.
struct ScalarText {
    var scalars: [UInt32] = []
    /// The first byte of each scalar, and the end.
    var offsets: [Int] = []

    /// - Parameter bytes: UTF-8, cut at scalars.
    init(_ bytes: ArraySlice<UInt8>) {
        scalars.reserveCapacity(bytes.count)
        offsets.reserveCapacity(bytes.count + 1)
        bytes.withUnsafeBufferPointer { buffer in
            var place = 0
            while place < buffer.count {
                let first = buffer[place]
                let length = min(utf8Length(first), buffer.count - place)
                var value = UInt32(first)
                if length > 1 {
                    value &= 0x7F >> UInt32(length)
                    for index in 1..<length { value = value << 6 | UInt32(buffer[place + index] & 0x3F) }
                }
                scalars.append(value)
                offsets.append(bytes.startIndex + place)
                place += length
            }
        }
        offsets.append(bytes.endIndex)
    }

    /// GPT-2's stand-ins for bytes.
    init(standInsOf bytes: ArraySlice<UInt8>) {
        scalars = bytes.map { ByteCharacters.all[Int($0)].value }
        offsets = Array(bytes.startIndex...bytes.endIndex)
    }
}

/// The bytes of the UTF-8 character that begins with `first`.
func utf8Length(_ first: UInt8) -> Int {
    switch first {
    case 0..<0xC0: 1
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    default: 4
    }
}
