internal import MenoTokenizers

extension Record {
    /// What two records have in common that say the same but for white space, wherever they come from.
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

/// FNV-1a with 64 bits.
private struct Fingerprint {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    private mutating func take(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }

    /// A text without white space at its ends, and with single spaces in it.
    mutating func add(_ text: String) {
        var (hasBegun, isSpaced) = (false, false)
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace {
                isSpaced = hasBegun
                continue
            }
            if isSpaced { take(0x20) }
            (hasBegun, isSpaced) = (true, false)
            for byte in UTF8.encode(scalar)! { take(byte) }
        }
        take(0xFF)
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
