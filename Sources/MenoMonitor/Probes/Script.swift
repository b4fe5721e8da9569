/// A writing system, as far as languages are told apart by it here.
package enum Script: String, Sendable, Hashable, Codable {
    case kana, han, latin, hangul, cyrillic, greek, arabic, hebrew, devanagari, thai, other

    /// `nil` of what is no letter.
    init?(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x3041...0x309F, 0x30A1...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9F: self = .kana
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0xF900...0xFAFF, 0x20000...0x3FFFF, 0x3005, 0x3007: self = .han
        case 0x41...0x5A, 0x61...0x7A, 0xC0...0x24F, 0x1E00...0x1EFF, 0xFF21...0xFF3A, 0xFF41...0xFF5A: self = .latin
        case 0xAC00...0xD7A3, 0x1100...0x11FF, 0x3131...0x318E: self = .hangul
        case 0x400...0x52F: self = .cyrillic
        case 0x370...0x3FF: self = .greek
        case 0x600...0x6FF, 0x750...0x77F: self = .arabic
        case 0x590...0x5FF: self = .hebrew
        case 0x900...0x97F: self = .devanagari
        case 0xE00...0xE7F: self = .thai
        default:
            guard scalar.properties.isAlphabetic else { return nil }
            self = .other
        }
    }
}

/// Which share of a text's letters is written in which script.
struct ScriptShares {
    private var letters = 0
    private var counts: [Script: Int] = [:]

    init(_ text: String) {
        for scalar in text.unicodeScalars {
            guard let script = Script(scalar) else { continue }
            letters += 1
            counts[script, default: 0] += 1
        }
    }

    /// 0…1; 0 of a text without letters.
    private func share(of script: Script) -> Double {
        letters > 0 ? Double(counts[script] ?? 0) / Double(letters) : 0
    }

    /// The script that tells the language: kana where a text of kana and Chinese characters has some of both. `nil`
    /// where there is too little to tell.
    var dominant: Script? {
        guard letters >= 4 else { return nil }
        let japanese = share(of: .kana) + share(of: .han)
        if japanese >= 0.5 {
            if share(of: .kana) >= 0.1 { return .kana }
            // A few Chinese characters alone may be either language.
            return letters >= 12 ? .han : nil
        }
        return counts.filter { $0.key != .kana && $0.key != .han }.max {
            ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue)
        }
        .flatMap { share(of: $0.key) >= 0.5 ? $0.key : nil }
    }
}
