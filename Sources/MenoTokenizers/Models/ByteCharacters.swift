/// GPT-2's printable stand-ins for bytes, in which byte-level vocabularies are written.
enum ByteCharacters {
    /// The stand-in of each byte: itself where it is printable, else the next character from U+0100 on.
    static let all: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt32(0)...255).map { byte in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return Unicode.Scalar(byte)!
            }
            defer { next += 1 }
            return Unicode.Scalar(next)!
        }
    }()

    private static let bytes: [UInt8?] = {
        var table = [UInt8?](repeating: nil, count: 0x180)
        for (byte, scalar) in all.enumerated() { table[Int(scalar.value)] = UInt8(byte) }
        return table
    }()

    /// The bytes that a token of stand-ins means; `nil` where a character is none.
    static func decode(_ token: ArraySlice<UInt8>) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(token.count)
        for scalar in ScalarText(token).scalars {
            guard scalar < bytes.count, let byte = bytes[Int(scalar)] else { return nil }
            decoded.append(byte)
        }
        return decoded
    }
}

extension Vocabulary {
    /// A vocabulary of stand-ins as the bytes that they mean; names with other characters stay as they are.
    static func byteLevel(_ names: Vocabulary) -> Vocabulary {
        Vocabulary(
            (0..<TokenID(names.count)).map { ByteCharacters.decode(names.bytes(of: $0)) ?? Array(names.bytes(of: $0)) })
    }
}
