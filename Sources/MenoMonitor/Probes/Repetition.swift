/// How much a text repeats itself.
enum Repetition {
    /// The share of a text's sequences of `length` units that are different, 0…1; `nil` where there is none.
    /// Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models" (2016): distinct-n.
    static func distinct(_ length: Int, of units: [String]) -> Double? {
        let count = units.count - length + 1
        guard length > 0, count > 0 else { return nil }
        return Double(Set((0..<count).map { units[$0..<($0 + length)] }).count) / Double(count)
    }

    /// The length of the longest span of units that occurs at two places that do not overlap.
    ///
    /// Common suffixes of all pairs of prefixes, row by row: quadratic time, linear memory.
    static func longestRepeatedSpan(_ units: [String]) -> Int {
        guard units.count > 1 else { return 0 }
        // Small integers compare faster than strings.
        var names: [String: Int32] = [:]
        let units = units.map { unit in
            let name = names[unit] ?? Int32(names.count)
            names[unit] = name
            return name
        }
        var longest = 0
        var row = [Int](repeating: 0, count: units.count)
        for later in 1..<units.count {
            // From the end, so that the row still holds the values of `later - 1`.
            for earlier in stride(from: later - 1, through: 0, by: -1) {
                guard units[earlier] == units[later] else {
                    row[earlier] = 0
                    continue
                }
                row[earlier] = (earlier > 0 ? row[earlier - 1] : 0) + 1
                longest = max(longest, min(row[earlier], later - earlier))
            }
        }
        return longest
    }

    /// How alike two texts are that were normalised before, 0…1: the Dice coefficient of their character pairs.
    static func similarity(_ a: String, _ b: String) -> Double {
        if a == b { return a.isEmpty ? 0 : 1 }
        var pairs: [Pair: Int] = [:]
        let (first, second) = (Pair.all(a), Pair.all(b))
        guard !first.isEmpty, !second.isEmpty else { return 0 }
        for pair in first { pairs[pair, default: 0] += 1 }
        var shared = 0
        for pair in second where pairs[pair, default: 0] > 0 {
            pairs[pair, default: 0] -= 1
            shared += 1
        }
        return 2 * Double(shared) / Double(first.count + second.count)
    }

    private struct Pair: Hashable {
        let first: Character
        let second: Character

        static func all(_ text: String) -> [Pair] {
            zip(text, text.dropFirst()).map { Pair(first: $0, second: $1) }
        }
    }
}
