/// How the pages of a column are compressed.
enum ParquetCodec {
    private static let names = ["none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"]

    /// - Parameters:
    ///   - codec: its number in the metadata.
    ///   - size: of the unpacked bytes.
    static func unpack(
        _ packed: UnsafeRawBufferPointer, codec: Int, size: Int, path: String
    ) throws -> [UInt8] {
        switch codec {
        case 0:
            guard packed.count == size else { throw ParquetFault("a page has another size than announced") }
            return Array(packed)
        case 1: return try snappy(packed, size)
        case 2: return try stream(GzipByteStream(MemoryByteStream(packed), path: path), size)
        case 6: return try stream(ZstdByteStream(MemoryByteStream(packed), path: path), size)
        case 7: return try lz4(packed, size)
        default:
            let name = names.indices.contains(codec) ? names[codec] : "method \(codec)"
            throw ParquetFault(
                "its pages are compressed with \(name); snappy, gzip, zstd, lz4_raw and none are known")
        }
    }

    private static func stream(_ stream: any ByteStream, _ size: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < size {
            // Grows with what there is, not with what is announced.
            let part = try stream.start(min(size - bytes.count, 1 << 20))
            guard !part.isEmpty else { throw ParquetFault.cut }
            bytes += part
        }
        return bytes
    }

    private static func snappy(_ packed: UnsafeRawBufferPointer, _ size: Int) throws(ParquetFault) -> [UInt8] {
        var place = 0
        var (length, shift) = (0, 0)
        while true {
            guard place < packed.count, shift < 35 else { throw .cut }
            length |= Int(packed[place] & 0x7F) << shift
            place += 1
            if packed[place - 1] & 0x80 == 0 { break }
            shift += 7
        }
        // No element makes more than 64 bytes out of three.
        guard length == size, length <= 32 * packed.count + 64 else {
            throw ParquetFault("a page has another size than announced")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        while place < packed.count {
            let tag = packed[place]
            place += 1
            if tag & 3 == 0 {
                var count = Int(tag >> 2)
                if count >= 60 {
                    let extra = count - 59
                    guard place + extra <= packed.count else { throw .cut }
                    count = 0
                    for index in 0..<extra { count |= Int(packed[place + index]) << (8 * index) }
                    place += extra
                }
                count += 1
                guard count <= packed.count - place, bytes.count + count <= length else { throw .cut }
                bytes.append(contentsOf: packed[place..<place + count])
                place += count
            } else {
                let extra = [0, 1, 2, 4][Int(tag & 3)]
                guard place + extra <= packed.count else { throw .cut }
                var distance = tag & 3 == 1 ? Int(tag >> 5) << 8 : 0
                for index in 0..<extra { distance |= Int(packed[place + index]) << (8 * index) }
                place += extra
                try copy(tag & 3 == 1 ? 4 + Int(tag >> 2 & 7) : 1 + Int(tag >> 2), distance, &bytes, length)
            }
        }
        guard bytes.count == length else { throw .cut }
        return bytes
    }

    private static func lz4(_ packed: UnsafeRawBufferPointer, _ size: Int) throws(ParquetFault) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(size, 256 * packed.count))
        var place = 0
        let count = { (nibble: UInt8) throws(ParquetFault) -> Int in
            var count = Int(nibble)
            guard nibble == 15 else { return count }
            while true {
                guard place < packed.count else { throw .cut }
                count += Int(packed[place])
                place += 1
                if packed[place - 1] < 255 { return count }
            }
        }
        while place < packed.count {
            let token = packed[place]
            place += 1
            let literals = try count(token >> 4)
            guard literals <= packed.count - place, bytes.count + literals <= size else { throw .cut }
            bytes.append(contentsOf: packed[place..<place + literals])
            place += literals
            if place == packed.count { break }
            guard place + 2 <= packed.count else { throw .cut }
            let distance = Int(packed[place]) | Int(packed[place + 1]) << 8
            place += 2
            try copy(try count(token & 15) + 4, distance, &bytes, size)
        }
        guard bytes.count == size else { throw .cut }
        return bytes
    }

    /// Repeats bytes that lie some way back; they may reach into what is being written.
    private static func copy(
        _ count: Int, _ distance: Int, _ bytes: inout [UInt8], _ limit: Int
    ) throws(ParquetFault) {
        guard distance > 0, distance <= bytes.count, bytes.count + count <= limit else { throw .cut }
        let start = bytes.count - distance
        for index in 0..<count { bytes.append(bytes[start + index]) }
    }
}

/// Bytes that are lent for as long as they are read.
private final class MemoryByteStream: ByteStream {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, bytes.count - place)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + count]))
        place += count
        return count
    }
}
