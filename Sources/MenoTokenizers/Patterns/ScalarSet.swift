/// A set of Unicode scalars as regular expressions name them: ranges, categories, and their complements.
struct ScalarSet: Sendable {
    /// One part of a set.
    enum Item: Sendable, Hashable {
        case range(ClosedRange<UInt32>)
        /// A mask of ``ScalarCategory`` bits.
        case categories(UInt32)
        case whitespace
        /// `Alphabetic` of Unicode: letters, and what is written as such (`Ⅷ`, `ⓐ`).
        case alphabetic
        indirect case union([Item])
        /// Those in the items, and every scalar that differs from one of them in case alone.
        indirect case caseless([Item])
        indirect case complement([Item])

        /// What `\w` takes within brackets.
        static let words = union([
            .alphabetic, .categories(ScalarCategory.marks | ScalarCategory.decimalNumbers | ScalarCategory.connectors),
        ])
        /// What `\w` takes by itself: Oniguruma's table of the first 256 characters has `²³¹¼½¾` too.
        static let wordsAlone = union([
            .words, .range(0xB2...0xB3), .range(0xB9...0xB9), .range(0xBC...0xBE),
        ])
        /// The characters of Chinese writing: Unicode's script `Han`.
        static let han = union(
            [
                0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007, 0x3021...0x3029,
                0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D, 0xFA70...0xFAD9, 0x16FE2...0x16FE3,
                0x16FF0...0x16FF1, 0x20000...0x2A6DF, 0x2A700...0x2B739, 0x2B740...0x2B81D, 0x2B820...0x2CEA1,
                0x2CEB0...0x2EBE0, 0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D, 0x30000...0x3134A, 0x31350...0x323AF,
            ].map(ScalarSet.Item.range))
        /// ASCII's punctuation and symbols, and Unicode's punctuation.
        static let punctuation = union([
            .categories(ScalarCategory.punctuation), .range(0x21...0x2F), .range(0x3A...0x40), .range(0x5B...0x60),
            .range(0x7B...0x7E),
        ])

        func contains(_ scalar: UInt32) -> Bool {
            switch self {
            case .range(let range): range.contains(scalar)
            case .categories(let mask): mask & (1 << ScalarCategory.of(scalar)) != 0
            case .whitespace: ScalarCategory.isWhitespace(scalar)
            case .alphabetic: ScalarCategory.isAlphabetic(scalar)
            case .union(let items): items.contains { $0.contains(scalar) }
            case .caseless(let items):
                ([scalar] + CaseVariants.of(scalar)).contains { variant in items.contains { $0.contains(variant) } }
            case .complement(let items): !items.contains { $0.contains(scalar) }
            }
        }
    }

    let items: [Item]
    /// A bit for each scalar of the basic plane: nearly all text.
    let basicPlane: [UInt64]

    init(_ items: [Item]) {
        self.items = items
        basicPlane = BasicPlane(items).words
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
        scalar < 0x10000
            ? basicPlane[Int(scalar >> 6)] >> (scalar & 63) & 1 != 0
            : items.contains { $0.contains(scalar) }
    }
}

/// A bit for each scalar of the basic plane.
private struct BasicPlane {
    private(set) var words: [UInt64]

    init(_ items: [ScalarSet.Item]) {
        words = Array(repeating: 0, count: 0x10000 / 64)
        for item in items { add(item) }
    }

    private mutating func add(_ item: ScalarSet.Item) {
        switch item {
        case .range(let range):
            guard range.lowerBound < 0x10000 else { return }
            for scalar in range.lowerBound...min(range.upperBound, 0xFFFF) { insert(scalar) }
        case .categories(let mask):
            for category in 0..<ScalarCategory.count where mask >> UInt32(category) & 1 == 1 {
                formUnion(ScalarCategory.planes[category])
            }
        case .whitespace:
            add(.categories(ScalarCategory.spaces))
            add(.range(9...13))
            add(.range(0x85...0x85))
        case .alphabetic: formUnion(ScalarCategory.alphabeticPlane)
        case .union(let items): for item in items { add(item) }
        case .caseless(let items): formUnion(BasicPlane(items).withCaseVariants.words)
        case .complement(let items): formUnion(BasicPlane(items).words.map { ~$0 })
        }
    }

    private mutating func insert(_ scalar: UInt32) { words[Int(scalar >> 6)] |= 1 << (scalar & 63) }
    private mutating func formUnion(_ other: [UInt64]) { for index in words.indices { words[index] |= other[index] } }

    /// This and every scalar that differs from one of them in case alone.
    var withCaseVariants: BasicPlane {
        var result = self
        for (scalar, variants) in CaseVariants.basicPlane
        where variants.contains(where: { $0 < 0x10000 && words[Int($0 >> 6)] >> ($0 & 63) & 1 == 1 }) {
            result.insert(scalar)
        }
        return result
    }
}

/// The scalars that differ from one in case alone (`ſ` is an `s`, and the Kelvin sign a `k`).
private enum CaseVariants {
    static func of(_ scalar: UInt32) -> [UInt32] {
        guard let properties = Unicode.Scalar(scalar)?.properties else { return [] }
        let upper = single(properties.uppercaseMapping)
        let folded = upper.flatMap { single($0.properties.lowercaseMapping) }
        return [upper, folded, single(properties.lowercaseMapping)].compactMap { $0?.value }.filter { $0 != scalar }
    }

    static let basicPlane: [(scalar: UInt32, variants: [UInt32])] = (0..<UInt32(0x10000)).compactMap { scalar in
        let variants = of(scalar)
        return variants.isEmpty ? nil : (scalar, variants)
    }

    private static func single(_ text: String) -> Unicode.Scalar? {
        text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
    }
}

/// The general categories of Unicode as numbers, so that sets of them are masks.
enum ScalarCategory {
    /// The number of a scalar's category.
    @inline(__always)
    static func of(_ scalar: UInt32) -> UInt32 {
        scalar < 0x10000 ? UInt32(basicPlane[Int(scalar)]) : number(scalar)
    }

    /// `White_Space` of Unicode.
    static func isWhitespace(_ scalar: UInt32) -> Bool {
        scalar == 0x85 || (9...13).contains(scalar) || spaces & (1 << of(scalar)) != 0
    }

    /// `Alphabetic` of Unicode.
    static func isAlphabetic(_ scalar: UInt32) -> Bool { Unicode.Scalar(scalar)?.properties.isAlphabetic ?? false }

    /// A bit for each scalar of the basic plane.
    static let alphabeticPlane: [UInt64] = (0..<UInt32(0x10000 / 64)).map { word in
        (0..<64).reduce(0) { $0 | (isAlphabetic(word * 64 + $1) ? 1 << UInt64($1) : 0) }
    }

    /// The mask of a name that `\p{…}` takes: `L`, `Lu`, `Letter`, …; `nil` for names that are not categories.
    static func mask(_ name: String) -> UInt32? {
        let short = longNames[name] ?? name
        let members = categories.indices.filter { short.count == 1 ? names[$0].hasPrefix(short) : names[$0] == short }
        return members.isEmpty ? nil : members.reduce(0) { $0 | 1 << UInt32($1) }
    }

    static let marks = mask("M")!
    static let numbers = mask("N")!
    static let punctuation = mask("P")!
    static let spaces = mask("Z")!
    static let decimalNumbers = mask("Nd")!
    static let connectors = mask("Pc")!
    static let symbols = mask("S")!

    private static let longNames = [
        "Letter": "L", "Mark": "M", "Number": "N", "Punctuation": "P", "Symbol": "S", "Separator": "Z", "Other": "C",
    ]
    private static let names = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]
    private static let categories: [Unicode.GeneralCategory] = [
        .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
        .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber, .connectorPunctuation,
        .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
        .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol, .spaceSeparator,
        .lineSeparator, .paragraphSeparator, .control, .format, .surrogate, .privateUse, .unassigned,
    ]
    static var count: Int { categories.count }
    /// For each category a bit for each scalar of the basic plane.
    static let planes: [[UInt64]] = {
        var planes = [[UInt64]](repeating: Array(repeating: 0, count: 0x10000 / 64), count: count)
        for (scalar, category) in basicPlane.enumerated() { planes[Int(category)][scalar >> 6] |= 1 << (scalar & 63) }
        return planes
    }()
    private static let numbersOfCategories = Dictionary(
        uniqueKeysWithValues: categories.enumerated().map { ($1, UInt32($0)) })
    private static let basicPlane: [UInt8] = (0..<UInt32(0x10000)).map { UInt8(number($0)) }

    private static func number(_ scalar: UInt32) -> UInt32 {
        let category = Unicode.Scalar(scalar)?.properties.generalCategory ?? .surrogate
        return numbersOfCategories[category] ?? UInt32(categories.count - 1)
    }
}
