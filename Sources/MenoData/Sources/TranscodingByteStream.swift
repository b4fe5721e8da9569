/// A byte order mark, which tells the encoding of a text.
enum TextMark: Sendable, Hashable, CaseIterable {
    // Those of UTF-32 come first: the little one begins as UTF-16's does.
    case utf32Little, utf32Big, utf16Little, utf16Big, utf8

    var bytes: [UInt8] {
        switch self {
        case .utf32Little: [0xFF, 0xFE, 0, 0]
        case .utf32Big: [0, 0, 0xFE, 0xFF]
        case .utf16Little: [0xFF, 0xFE]
        case .utf16Big: [0xFE, 0xFF]
        case .utf8: [0xEF, 0xBB, 0xBF]
        }
    }

    init?(start: [UInt8]) {
        guard let found = Self.allCases.first(where: { start.starts(with: $0.bytes) }) else { return nil }
        self = found
    }

    fileprivate var unitSize: Int { self == .utf16Little || self == .utf16Big ? 2 : 4 }
    fileprivate var isLittle: Bool { self == .utf16Little || self == .utf32Little }
}

/// A text in UTF-16 or UTF-32, read as UTF-8.
final class TranscodingByteStream: ByteStream {
    private let stream: any ByteStream
    private let mark: TextMark
    private let path: String
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private var output: [UInt8] = []
    private var place = 0
    /// The first half of a surrogate pair whose second is still to come.
    private var high: UInt32?

    init(_ stream: any ByteStream, from mark: TextMark, path: String) {
        self.stream = stream
        self.mark = mark
        self.path = path
    }

    deinit { input.deallocate() }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while place == output.count { guard try transcode() else { return 0 } }
        let count = min(buffer.count, output.count - place)
        output.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[place..<place + count]))
        }
        place += count
        return count
    }

    private func transcode() throws -> Bool {
        output.removeAll(keepingCapacity: true)
        place = 0
        let count = try stream.fill(input)
        guard count > 0 else {
            guard high == nil else { throw malformed() }
            return false
        }
        guard count % mark.unitSize == 0 else { throw malformed() }
        for start in stride(from: 0, to: count, by: mark.unitSize) {
            var unit: UInt32 = 0
            for index in 0..<mark.unitSize {
                unit = unit << 8 | UInt32(input[mark.isLittle ? start + mark.unitSize - 1 - index : start + index])
            }
            try append(unit)
        }
        return true
    }

    private func append(_ unit: UInt32) throws {
        var value = unit
        if mark.unitSize == 2 {
            if let first = high {
                guard (0xDC00..<0xE000).contains(unit) else { throw malformed() }
                value = 0x10000 + (first - 0xD800) << 10 + (unit - 0xDC00)
                high = nil
            } else if (0xD800..<0xDC00).contains(unit) {
                high = unit
                return
            }
        }
        guard let scalar = Unicode.Scalar(value) else { throw malformed() }
        output.append(contentsOf: UTF8.encode(scalar)!)
    }

    private func malformed() -> DataError {
        DataError(
            .malformed, at: path, "begins with a byte order mark of UTF-16 or UTF-32, and is not such text.",
            advice: "Save it as UTF-8.")
    }
}
