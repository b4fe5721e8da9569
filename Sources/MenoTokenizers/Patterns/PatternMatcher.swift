/// Finds what a pattern matches.
struct PatternMatcher {
    /// Where to continue when a path fails: at `place`, then at each place before it down to `lowest`.
    private struct Choice {
        var instruction: Int
        var place: Int
        var lowest: Int
    }

    private struct State: Hashable {
        var instruction: Int
        var place: Int
    }

    private static let rememberAfter = 4_096
    private static let word = ScalarSet([.wordsAlone])

    private let program: UnsafeBufferPointer<Pattern.Instruction>
    private let pattern: Pattern
    private var choices: [Choice] = []
    private var scalars = UnsafeBufferPointer<UInt32>(start: nil, count: 0)
    /// For each scalar, in which of the pattern's sets it is.
    private var masks = UnsafeBufferPointer<UInt64>(start: nil, count: 0)

    /// - Parameter body: is given a matcher that is valid while it runs.
    static func with(_ pattern: Pattern, _ body: (inout PatternMatcher) -> Void) {
        pattern.program.withUnsafeBufferPointer { program in
            var matcher = PatternMatcher(program: program, pattern: pattern)
            body(&matcher)
        }
    }

    private init(program: UnsafeBufferPointer<Pattern.Instruction>, pattern: Pattern) {
        (self.program, self.pattern) = (program, pattern)
    }

    /// Calls `body` with the non-overlapping matches from left to right, without empty ones right behind another.
    /// - Parameters:
    ///   - scalars: a text of its own, whose beginning and end anchors know.
    ///   - masks: what the pattern's ``ScalarClasses`` say of each.
    @inline(__always)
    mutating func forEachMatch(
        in scalars: UnsafeBufferPointer<UInt32>, _ masks: UnsafeBufferPointer<UInt64>,
        _ body: (_ start: Int, _ end: Int) -> Void
    ) {
        (self.scalars, self.masks) = (scalars, masks)
        var start = 0
        var last: Int?
        while start <= scalars.count {
            if mayContinue(at: start, pattern.start), let end = run(0, at: start), end > start || end != last {
                body(start, end)
                start = end
                last = end
            } else {
                start += 1
            }
        }
    }

    @inline(__always)
    private func mayContinue(at place: Int, _ required: UInt64) -> Bool {
        required == .max || place < scalars.count && masks[place] & required != 0
    }

    @inline(__always)
    private func isIn(_ set: Int, _ place: Int) -> Bool {
        set < ScalarClasses.limit ? masks[place] >> UInt64(set) & 1 != 0 : isInFurther(set, place)
    }

    @inline(never)
    private func isInFurther(_ set: Int, _ place: Int) -> Bool { pattern.sets[set].contains(scalars[place]) }

    /// - Returns: the end of the match that begins with `instruction` at `start`.
    private mutating func run(_ instruction: Int, at start: Int) -> Int? {
        let floor = choices.count
        defer { choices.removeLast(choices.count - floor) }
        var (pc, place) = (instruction, start)
        var steps = 0
        var failed: Set<State> = []
        while true {
            if let next = step(&pc, &place) {
                if next { return place }
                continue
            }
            repeat {
                guard let choice = pop(floor) else { return nil }
                (pc, place) = choice
                steps += 1
            } while steps > Self.rememberAfter && !failed.insert(State(instruction: pc, place: place)).inserted
        }
    }

    /// Executes one instruction.
    /// - Returns: `true` at the end of the program, `nil` when the path fails.
    @inline(__always)
    private mutating func step(_ pc: inout Int, _ place: inout Int) -> Bool? {
        switch program[pc] {
        case .set(let set):
            guard place < scalars.count, isIn(set, place) else { return nil }
            place += 1
        case .repeated(let set, let minimum, let maximum, let greed):
            let lowest = place + minimum
            let limit = maximum < scalars.count - place ? place + maximum : scalars.count
            var end = place
            if set < ScalarClasses.limit {
                let bit: UInt64 = 1 << UInt64(set)
                while end < limit, masks[end] & bit != 0 { end += 1 }
            } else {
                while end < limit, isInFurther(set, end) { end += 1 }
            }
            guard end >= lowest else { return nil }
            if greed == .greedy, end > lowest {
                choices.append(Choice(instruction: pc + 1, place: end - 1, lowest: lowest))
            }
            place = end
        case .split(let first, let second):
            choices.append(Choice(instruction: second, place: place, lowest: place))
            pc = first
            return false
        case .guardedSplit(let first, let second, let condition):
            guard mayContinue(at: place, condition.first) else {
                pc = condition.otherwise
                return false
            }
            if mayContinue(at: place, condition.second) {
                choices.append(Choice(instruction: second, place: place, lowest: place))
            }
            pc = first
            return false
        case .jump(let target):
            pc = target
            return false
        case .nextIn(let set, let isNegative):
            guard (place < scalars.count && isIn(set, place)) != isNegative else { return nil }
        case .lookahead(let end, let isNegative):
            guard (run(pc + 1, at: place) != nil) != isNegative else { return nil }
            pc = end
            return false
        case .atomic(let end):
            guard let reached = run(pc + 1, at: place) else { return nil }
            (pc, place) = (end, reached)
            return false
        case .anchor(let anchor):
            guard holds(anchor, place) else { return nil }
        case .match:
            return true
        }
        pc += 1
        return false
    }

    @inline(__always)
    private mutating func pop(_ floor: Int) -> (Int, Int)? {
        guard choices.count > floor else { return nil }
        let last = choices.count - 1
        let choice = choices[last]
        if choice.place > choice.lowest { choices[last].place -= 1 } else { choices.removeLast() }
        return (choice.instruction, choice.place)
    }

    private func holds(_ anchor: PatternNode.Anchor, _ place: Int) -> Bool {
        switch anchor {
        case .start: return place == 0
        case .end: return place == scalars.count
        case .lineStart: return place == 0 || place < scalars.count && scalars[place - 1] == 10
        case .lineEnd: return place == scalars.count || scalars[place] == 10
        case .wordBoundary, .notWordBoundary:
            let before = place > 0 && Self.word.contains(scalars[place - 1])
            let after = place < scalars.count && Self.word.contains(scalars[place])
            return (before != after) == (anchor == .wordBoundary)
        }
    }
}

extension Pattern {
    /// The bytes of all matches in a text.
    func matches(in text: ScalarText) -> [Range<Int>] {
        var masks: [UInt64] = []
        classes.classify(text.scalars, into: &masks)
        var matches: [Range<Int>] = []
        PatternMatcher.with(self) { matcher in
            text.scalars.withUnsafeBufferPointer { scalars in
                masks.withUnsafeBufferPointer { masks in
                    matcher.forEachMatch(in: scalars, masks) { matches.append(text.offsets[$0]..<text.offsets[$1]) }
                }
            }
        }
        return matches
    }
}
