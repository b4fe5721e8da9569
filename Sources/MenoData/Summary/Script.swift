/// What the letters of a text are of, by which its language is guessed.
enum Script: UInt8, CaseIterable {
    case japanese, korean, chinese, latin, cyrillic, greek, arabic, hebrew, indic, thai, other

    var name: String {
        switch self {
        case .japanese: "Japanese"
        case .korean: "Korean"
        case .chinese: "Chinese"
        case .latin: "Latin script"
        case .cyrillic: "Cyrillic script"
        case .greek: "Greek"
        case .arabic: "Arabic script"
        case .hebrew: "Hebrew"
        case .indic: "an Indic script"
        case .thai: "Thai"
        case .other: "another script"
        }
    }

    /// Of a letter.
    init(of letter: Unicode.Scalar) {
        self =
            switch letter.value {
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
