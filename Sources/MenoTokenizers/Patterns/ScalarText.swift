/// A text as scalars, with the place of each.
struct ScalarText {
    var scalars: [UInt32] = []
    /// The first byte of each scalar, and the end.
    var offsets: [Int] = []

    /// - Parameter bytes: UTF-8, cut at scalars.
    init(_ bytes: ArraySlice<UInt8>) { read(bytes) }

    /// GPT-2's stand-ins for bytes.
    init(standInsOf bytes: ArraySlice<UInt8>) { read(standInsOf: bytes) }

    /// Takes another text, in the memory that it has.
    mutating func read(_ bytes: ArraySlice<UInt8>) {
        scalars.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        scalars.reserveCapacity(bytes.count)
        offsets.reserveCapacity(bytes.count + 1)
        bytes.withUnsafeBufferPointer { buffer in
            var place = 0
            while place < buffer.count {
                let first = buffer[place]
                let length = min(utf8Length(first), buffer.count - place)
                var value = UInt32(first)
                if length > 1 {
                    value &= 0x7F >> UInt32(length)
                    for index in 1..<length { value = value << 6 | UInt32(buffer[place + index] & 0x3F) }
                }
                scalars.append(value)
                offsets.append(bytes.startIndex + place)
                place += length
            }
        }
        offsets.append(bytes.endIndex)
    }

    mutating func read(standInsOf bytes: ArraySlice<UInt8>) {
        scalars = bytes.map { ByteCharacters.all[Int($0)].value }
        offsets = Array(bytes.startIndex...bytes.endIndex)
    }
}

/// The bytes of the UTF-8 character that begins with `first`.
func utf8Length(_ first: UInt8) -> Int {
    switch first {
    case 0..<0xC0: 1
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    default: 4
    }
}
