internal import Foundation

/// What is done to a text before it is cut: the `normalizer` of a `tokenizer.json`.
enum Normalizer: Sendable {
    /// Unicode's normal forms.
    enum Form: String, Sendable { case nfc = "NFC", nfd = "NFD", nfkc = "NFKC", nfkd = "NFKD" }

    /// What is searched.
    enum Search: Sendable {
        case text([UInt8])
        case pattern(Pattern)

        func matches(in text: AlignedText, _ range: Range<Int>) -> [Range<Int>] {
            switch self {
            case .text(let searched): text.occurrences(of: searched, in: range)
            case .pattern(let pattern): pattern.matches(in: ScalarText(text.bytes[range]))
            }
        }
    }

    case sequence([Normalizer])
    case form(Form)
    case lowercase
    /// Takes white space away at the ends.
    case strip(left: Bool, right: Bool)
    /// Takes marks away, such as accents that stand by themselves.
    case stripAccents
    /// Puts something before a text that is not empty.
    case prepend([UInt8])
    case replace(Search, with: [UInt8])
    case precompiled(PrecompiledMap)
    /// What SentencePiece's `nmt` rules do to control characters and spaces.
    case nmt

    func apply(to text: inout AlignedText) {
        switch self {
        case .sequence(let normalizers): for normalizer in normalizers { normalizer.apply(to: &text) }
        case .form(.nfkc):
            // What is decomposed may compose with its neighbours, such as ㄱ with ㅏ.
            Self.apply(.nfkd, to: &text)
            Self.apply(.nfc, to: &text)
        case .form(let form): Self.apply(form, to: &text)
        case .lowercase: Self.mapScalars(&text) { Array($0.properties.lowercaseMapping.utf8) }
        case .strip(let left, let right): Self.strip(&text, left: left, right: right)
        case .stripAccents:
            Self.mapScalars(&text) {
                ScalarCategory.marks & (1 << ScalarCategory.of($0.value)) != 0 ? [] : Array(UTF8.encode($0)!)
            }
        case .prepend(let prefix):
            guard !text.bytes.isEmpty else { return }
            text.rewrite { old, new in
                new.put(prefix, at: 0, of: old)
                new.keep(old.bytes.indices, of: old)
            }
        case .replace(let search, let replacement):
            Self.replace(search.matches(in: text, text.bytes.indices), with: replacement, in: &text)
        case .precompiled(let map): map.apply(to: &text)
        case .nmt: Self.mapScalars(&text, Self.nmt)
        }
    }

    /// Puts other bytes in the place of each range.
    static func replace(_ ranges: [Range<Int>], with replacement: [UInt8], in text: inout AlignedText) {
        guard !ranges.isEmpty else { return }
        text.rewrite { old, new in
            var place = 0
            for range in ranges {
                new.keep(place..<range.lowerBound, of: old)
                new.put(replacement, at: range.lowerBound, of: old)
                place = range.upperBound
            }
            new.keep(place..<old.bytes.count, of: old)
        }
    }

    private static func mapScalars(_ text: inout AlignedText, _ map: (Unicode.Scalar) -> [UInt8]) {
        text.rewrite { old, new in
            let scalars = ScalarText(old.bytes[...])
            for (index, value) in scalars.scalars.enumerated() {
                new.put(map(Unicode.Scalar(value) ?? "\u{FFFD}"), at: scalars.offsets[index], of: old)
            }
        }
    }

    private static func strip(_ text: inout AlignedText, left: Bool, right: Bool) {
        let scalars = ScalarText(text.bytes[...])
        var range = scalars.scalars.indices
        while left, let first = range.first, ScalarCategory.isWhitespace(scalars.scalars[first]) {
            range = first + 1..<range.upperBound
        }
        while right, let last = range.last, ScalarCategory.isWhitespace(scalars.scalars[last]) {
            range = range.lowerBound..<last
        }
        guard range != scalars.scalars.indices else { return }
        let kept = scalars.offsets[range.lowerBound]..<scalars.offsets[range.upperBound]
        text.rewrite { old, new in new.keep(kept, of: old) }
    }

    /// Rules of `nmt_norm`: controls vanish, every kind of space or line end is a space.
    private static func nmt(_ scalar: Unicode.Scalar) -> [UInt8] {
        switch scalar.value {
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: []
        case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: [0x20]
        default: Array(UTF8.encode(scalar)!)
        }
    }

    // MARK: Normal forms

    /// Works on each grapheme cluster by itself: no composition reaches beyond one, and so it is known where each byte
    /// comes from.
    private static func apply(_ form: Form, to text: inout AlignedText) {
        if isInert(text.bytes, form) { return }
        text.rewrite { old, new in
            var place = 0
            for character in String(decoding: old.bytes, as: UTF8.self) {
                let source = String(character)
                let count = source.utf8.count
                let normal = normalized(source, form)
                if normal.utf8.elementsEqual(source.utf8) {
                    new.keep(place..<place + count, of: old)
                } else {
                    new.put(normal.utf8, at: place, of: old)
                }
                place += count
            }
        }
    }

    private static func normalized(_ text: String, _ form: Form) -> String {
        switch form {
        // From its smallest parts: Foundation leaves a syllable such as 가 and a final consonant apart.
        case .nfc: text.decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
        case .nfd: text.decomposedStringWithCanonicalMapping
        case .nfkc: normalized(normalized(text, .nfkd), .nfc)
        case .nfkd: text.decomposedStringWithCompatibilityMapping
        }
    }

    /// Whether a text surely is in a form already; most text is, and finding it out is far cheaper than normalising.
    private static func isInert(_ bytes: [UInt8], _ form: Form) -> Bool {
        if bytes.allSatisfy({ $0 < 0x80 }) { return true }
        guard form == .nfc else { return false }
        return ScalarText(bytes[...]).scalars.allSatisfy { scalar in
            switch scalar {
            // Latin; punctuation; ideographs and kana without the combining voice marks; full-width forms.
            case 0..<0x300, 0x2010...0x2027, 0x3000...0x3029, 0x3030...0x3098, 0x309B...0x30FF, 0x3400...0x4DBF,
                0x4E00...0x9FFF, 0xFF00...0xFFEF:
                true
            default: false
            }
        }
    }
}
