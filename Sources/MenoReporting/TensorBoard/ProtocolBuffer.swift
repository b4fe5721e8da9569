internal import Foundation

/// The few kinds of Protocol Buffers fields that event files are made of.
/// Source: the encoding specification of Protocol Buffers, version 3.
struct ProtocolBuffer {
    private(set) var data = Data()

    mutating func add(_ field: UInt64, varint value: UInt64) {
        add(varint: field << 3)
        add(varint: value)
    }

    mutating func add(_ field: UInt64, double value: Double) {
        add(varint: field << 3 | 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
    }

    mutating func add(_ field: UInt64, float value: Float) {
        add(varint: field << 3 | 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
    }

    mutating func add(_ field: UInt64, text: String) { add(field, bytes: Data(text.utf8)) }
    mutating func add(_ field: UInt64, message: ProtocolBuffer) { add(field, bytes: message.data) }

    private mutating func add(_ field: UInt64, bytes: Data) {
        add(varint: field << 3 | 2)
        add(varint: UInt64(bytes.count))
        data.append(bytes)
    }

    private mutating func add(varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            data.append(UInt8(rest & 0x7F | 0x80))
            rest >>= 7
        }
        data.append(UInt8(rest))
    }
}
