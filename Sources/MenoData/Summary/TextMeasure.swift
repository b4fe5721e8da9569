/// Counts the characters and the letters of some texts in one pass over their bytes.
struct TextMeasure {
    /// As `String.count` counts them.
    private(set) var characters = 0
    /// By ``Script``.
    private var letters = [Int](repeating: 0, count: Script.allCases.count)
    /// Letters that are still looked at.
    private var left = 4000

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add($0) }
    }

    /// The script that most letters are of; `nil` where there is no letter.
    var script: Script? {
        var counts = letters
        let count = { (script: Script) in counts[Int(script.rawValue)] }
        // Kana mean Japanese, whose other characters are Chinese as well.
        let (kana, han) = (count(.japanese), count(.chinese))
        if kana > 0, han > 0, kana * 10 >= han {
            counts[Int(Script.japanese.rawValue)] = kana + han
            counts[Int(Script.chinese.rawValue)] = 0
        }
        let most = Script.allCases.max { counts[Int($0.rawValue)] < counts[Int($1.rawValue)] }
        return most.flatMap { counts[Int($0.rawValue)] > 0 ? $0 : nil }
    }

    /// Where two scalars follow each other that both stand alone, a character ends. Only what lies between such places, and is
    /// more than one scalar, is left to Swift's slow search for characters.
    private mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) {
        ScalarClasses.table.withUnsafeBufferPointer { classes in
            var (place, start) = (0, 0)
            var (isAlone, isSimple) = (false, true)
            while place < bytes.count {
                let first = bytes[place]
                let found: UInt8
                let next: Int
                if first < 0x80 {
                    (found, next) = (classes[Int(first)], place + 1)
                } else if first < 0xE0 {
                    found = classes[Int(first & 0x1F) << 6 | Int(bytes[place + 1] & 0x3F)]
                    next = place + 2
                } else if first < 0xF0 {
                    found =
                        classes[
                            Int(first & 0xF) << 12 | Int(bytes[place + 1] & 0x3F) << 6 | Int(bytes[place + 2] & 0x3F)]
                    next = place + 3
                } else {
                    let value =
                        UInt32(first & 7) << 18 | UInt32(bytes[place + 1] & 0x3F) << 12
                        | UInt32(bytes[place + 2] & 0x3F) << 6 | UInt32(bytes[place + 3] & 0x3F)
                    found = Unicode.Scalar(value).map(ScalarClasses.found) ?? 0
                    next = place + 4
                }
                let standsAlone = found & ScalarClasses.alone != 0
                if isAlone, standsAlone {
                    characters += isSimple ? 1 : Self.characters(bytes[start..<place])
                    (start, isSimple) = (place, true)
                } else if !standsAlone {
                    isSimple = false
                }
                isAlone = standsAlone
                if left > 0, found & ScalarClasses.script != 0 {
                    letters[Int(found & ScalarClasses.script) - 1] += 1
                    left -= 1
                }
                place = next
            }
            if start < bytes.count { characters += isSimple ? 1 : Self.characters(bytes[start...]) }
        }
    }

    private static func characters(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
        String(decoding: bytes, as: UTF8.self).count
    }
}

/// What a scalar means to ``TextMeasure``, in a byte each.
enum ScalarClasses {
    /// The number of its script, counted from 1, where it is a letter.
    static let script: UInt8 = 0xF
    /// Whether it is a character of its own beside any other that stands alone.
    static let alone: UInt8 = 0x10

    /// Of the first 65,536.
    static let table: [UInt8] = (0..<0x10000).map { Unicode.Scalar(UInt32($0)).map(found) ?? 0 }

    static func found(_ scalar: Unicode.Scalar) -> UInt8 {
        (scalar.properties.isAlphabetic ? Script(of: scalar).rawValue + 1 : 0) | (standsAlone(scalar) ? alone : 0)
    }

    /// Scripts and signs that do not combine. Unicode's rules for characters name combining marks, jamo, Indic consonants, flags,
    /// joiners and the carriage return; none of these is here.
    private static func standsAlone(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0D: false
        case 0...0xAC, 0xAE...0x2FF: true
        case 0x370...0x482, 0x48A...0x52F: true
        case 0x1E00...0x1FFF, 0x2010...0x2027, 0x2030...0x205E, 0x2070...0x20CF, 0x2100...0x2BFF: true
        case 0x3000...0x3029, 0x3030...0x3098, 0x309B...0x312F, 0x3190...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF: true
        case 0xAC00...0xD7A3, 0xFF01...0xFF9D, 0x20000...0x323AF: true
        default: false
        }
    }
}
