/// What records are like, all together.
package struct DataSummary: Sendable, Hashable, Codable {
    /// Numbers in order.
    package struct Spread: Sendable, Hashable, Codable {
        package var least: Int
        package var half: Int
        package var nineTenths: Int
        package var most: Int
        package var total: Int

        /// - Precondition: there is at least one.
        package init(_ numbers: [Int]) {
            let sorted = numbers.sorted()
            let at = { (share: Double) in sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
            (least, half, nineTenths, most) = (sorted[0], at(0.5), at(0.9), sorted[sorted.count - 1])
            total = sorted.reduce(0, +)
        }
    }

    package struct Share: Sendable, Hashable, Codable {
        package var name: String
        package var records: Int
    }

    package var records: Int
    /// Of a record; of tokens where it was tokenized before.
    package var characters: Spread?
    /// Of a dialogue.
    package var turns: Spread?
    /// Records that have a chosen and a rejected side.
    package var pairs: Int
    /// The most frequent first.
    package var shapes: [Share]
    package var sources: [Share]
    /// A guess: the script that most letters of a record are of.
    package var languages: [Share]
    /// Records that equal an earlier one but for white space.
    package var duplicates: Int

    package init(_ records: [Record]) {
        self.records = records.count
        characters = records.isEmpty ? nil : Spread(records.map(\.content.characterCount))
        let turns = records.compactMap { if case .dialogue(let messages) = $0.content { messages.count } else { nil } }
        self.turns = turns.isEmpty ? nil : Spread(turns)
        pairs = records.count { $0.rejected != nil }
        shapes = Self.shares(records.map(\.content.shape))
        sources = Self.shares(records.compactMap(\.source))
        languages = Self.shares(records.compactMap { Script.most(of: $0.content)?.rawValue })
        duplicates = records.count - Set(records.map(\.fingerprint)).count
    }

    private static func shares(_ names: [String]) -> [Share] {
        Dictionary(grouping: names) { $0 }.map { Share(name: $0.key, records: $0.value.count) }
            .sorted { ($1.records, $0.name) < ($0.records, $1.name) }
    }
}

extension Record.Content {
    package var characterCount: Int {
        switch self {
        case .dialogue(let messages): messages.reduce(0) { $0 + $1.content.count }
        case .completion(let prompt, let completion): prompt.count + completion.count
        case .text(let text): text.count
        case .tokens(let ids, _): ids.count
        }
    }

    fileprivate var shape: String {
        switch self {
        case .dialogue: "dialogue"
        case .completion: "completion"
        case .text: "text"
        case .tokens: "tokens"
        }
    }

    fileprivate var texts: [String] {
        switch self {
        case .dialogue(let messages): messages.map(\.content)
        case .completion(let prompt, let completion): [prompt, completion]
        case .text(let text): [text]
        case .tokens: []
        }
    }
}

/// What the letters of a text are of, by which its language is guessed.
private enum Script: String, CaseIterable {
    case japanese = "Japanese"
    case korean = "Korean"
    case chinese = "Chinese"
    case latin = "Latin script"
    case cyrillic = "Cyrillic script"
    case greek = "Greek"
    case arabic = "Arabic script"
    case hebrew = "Hebrew"
    case indic = "an Indic script"
    case thai = "Thai"
    case other = "another script"

    /// So many letters are looked at.
    private static let limit = 4000

    static func most(of content: Record.Content) -> Script? {
        var counts: [Script: Int] = [:]
        var seen = 0
        for text in content.texts {
            for scalar in text.unicodeScalars where scalar.properties.isAlphabetic {
                counts[of(scalar), default: 0] += 1
                seen += 1
                if seen == limit { break }
            }
        }
        // Kana tell Japanese, whose other characters are Chinese as well.
        if let kana = counts[.japanese], let han = counts[.chinese], kana * 10 >= han {
            counts[.japanese] = kana + han
            counts[.chinese] = nil
        }
        return allCases.filter { counts[$0] != nil }.max { counts[$0, default: 0] < counts[$1, default: 0] }
    }

    private static func of(_ scalar: Unicode.Scalar) -> Script {
        switch scalar.value {
        case 0x41...0x24F, 0x1E00...0x1EFF, 0xFF21...0xFF5A: .latin
        case 0x3040...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9D: .japanese
        case 0xAC00...0xD7AF, 0x1100...0x11FF, 0x3130...0x318F: .korean
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x323AF, 0xF900...0xFAFF, 0x3005...0x3007: .chinese
        case 0x400...0x52F: .cyrillic
        case 0x370...0x3FF, 0x1F00...0x1FFF: .greek
        case 0x600...0x77F, 0xFB50...0xFDFF, 0xFE70...0xFEFF: .arabic
        case 0x590...0x5FF: .hebrew
        case 0x900...0xDFF: .indic
        case 0xE00...0xE7F: .thai
        default: .other
        }
    }
}
