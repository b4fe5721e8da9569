internal import Foundation

/// Records as TensorFlow frames them in a file: length, its checksum, the bytes, their checksum.
/// Source: TensorFlow's documentation of the TFRecord format.
enum RecordFraming {
    static func framed(_ record: Data) -> Data {
        let length = littleEndian(UInt64(record.count))
        return length + littleEndian(masked(length)) + record + littleEndian(masked(record))
    }

    /// CRC-32C, rotated and offset, so that a checksum of data that holds checksums is still one.
    static func masked(_ data: Data) -> UInt32 {
        let crc = checksum(data)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }

    /// CRC-32C (Castagnoli), bits reflected.
    static func checksum(_ data: Data) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in data { crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
        return ~crc
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? 0x82F6_3B78 ^ crc >> 1 : crc >> 1 }
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> Data {
        withUnsafeBytes(of: value.littleEndian) { Data($0) }
    }
}
