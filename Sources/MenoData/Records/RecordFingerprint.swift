internal import MenoTokenizers

extension Record {
    /// Equal for records that say the same but for white space, wherever they come from.
    package var fingerprint: UInt64 {
        var hash = Fingerprint()
        hash.add(content)
        if let rejected {
            hash.add("rejected")
            hash.add(rejected)
        }
        for member in variables where ["tools", "label"].contains(member.key) { hash.add(member.value.description) }
        return hash.value
    }
}

/// Hashes texts eight bytes at a time, without what is only white space.
private struct Fingerprint {
    private var hash = ContentHash()
    /// Bytes that wait for others.
    private var word: UInt64 = 0
    private var filled: UInt64 = 0

    var value: UInt64 {
        var hash = hash
        hash.add(word)
        hash.add(filled)
        return hash.value
    }

    @inline(__always)
    private mutating func take(_ byte: UInt8) {
        word |= UInt64(byte) << filled
        filled += 8
        guard filled == 64 else { return }
        hash.add(word)
        (word, filled) = (0, 0)
    }

    /// A text without white space at its ends, and with single spaces in it.
    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var (place, hasBegun, isSpaced) = (0, false, false)
            while place < bytes.count {
                let space = Self.whiteSpace(bytes, place)
                if space > 0 {
                    isSpaced = hasBegun
                    place += space
                    continue
                }
                if isSpaced { take(0x20) }
                (hasBegun, isSpaced) = (true, false)
                // Bytes that continue a scalar are never taken for white space.
                take(bytes[place])
                place += 1
            }
        }
        take(0xFF)
    }

    /// How many bytes the white space has that begins at a place; 0: there is none.
    @inline(__always)
    private static func whiteSpace(_ bytes: UnsafeBufferPointer<UInt8>, _ place: Int) -> Int {
        let first = bytes[place]
        if first <= 0x20 { return first == 0x20 || (0x09...0x0D).contains(first) ? 1 : 0 }
        guard first >= 0xC2, first <= 0xE3 else { return 0 }
        let second = bytes[place + 1]
        switch first {
        case 0xC2: return second == 0x85 || second == 0xA0 ? 2 : 0
        case 0xE1: return second == 0x9A && bytes[place + 2] == 0x80 ? 3 : 0
        case 0xE2:
            let third = bytes[place + 2]
            if second == 0x80 { return third <= 0x8A || third == 0xA8 || third == 0xA9 || third == 0xAF ? 3 : 0 }
            return second == 0x81 && third == 0x9F ? 3 : 0
        case 0xE3: return second == 0x80 && bytes[place + 2] == 0x80 ? 3 : 0
        default: return 0
        }
    }

    mutating func add(_ content: Record.Content) {
        switch content {
        case .dialogue(let messages):
            for message in messages {
                add(message.role.rawValue)
                add(message.content)
                for member in message.members { add(member.key + member.value.description) }
            }
        case .completion(let prompt, let completion):
            add("completion")
            add(prompt)
            add(completion)
        case .text(let text):
            add("text")
            add(text)
        case .tokens(let ids, let labels):
            for number in ids + labels { add(String(number)) }
        }
    }
}
