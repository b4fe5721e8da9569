/// A cursor over the bytes of a file that trusts no length and no count it reads.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    let path: String
    private(set) var offset: Int

    init(_ bytes: UnsafeRawBufferPointer, path: String, offset: Int = 0) {
        self.bytes = bytes
        self.path = path
        self.offset = offset
    }

    var remaining: Int { bytes.count - offset }

    /// A little-endian integer.
    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
        _ what: @autoclosure () -> String
    ) throws -> T {
        let start = offset
        try skip(MemoryLayout<T>.size, what())
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: T.self))
    }

    /// A 64-bit count of things that take at least `minimumSize` bytes each: the rest of the file bounds it.
    mutating func count(minimumSize: Int, _ what: @autoclosure () -> String) throws -> Int {
        let start = offset
        let value: UInt64 = try integer(what())
        guard value <= UInt64(remaining / minimumSize) else {
            throw FormatError(
                .malformed, at: path,
                "\(what()) at byte \(start) says \(value), but only \(remaining) bytes follow.",
                advice: FormatError.damaged)
        }
        return Int(value)
    }

    /// A string of the form `length (64 bits), UTF-8 bytes`.
    mutating func string(_ what: @autoclosure () -> String) throws -> String {
        let length = try count(minimumSize: 1, "the length of \(what())")
        let start = offset
        try skip(length, what())
        let slice = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
        guard let string = String(validating: slice, as: UTF8.self) else {
            throw FormatError(
                .malformed, at: path, "\(what()) at byte \(start) is not UTF-8.", advice: FormatError.damaged)
        }
        return string
    }

    mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws {
        guard count >= 0, count <= remaining else {
            throw FormatError(
                .malformed, at: path,
                "ends at byte \(bytes.count), inside \(what()), which starts at byte \(offset).",
                advice: FormatError.damaged)
        }
        offset += count
    }
}

extension FormatError {
    /// What helps against most damaged files: they are truncated downloads.
    static var damaged: String { "The file is damaged or incomplete: download it again." }
}

/// The number of elements of a shape, or `nil` when it (or a product of some of its dimensions) is negative or
/// overflows. Zero-sized dimensions are left out of the check, so that no caller's partial product can trap.
func checkedCount(_ shape: [Int]) -> Int? {
    var product = 1
    var isEmpty = false
    for dimension in shape {
        guard dimension >= 0 else { return nil }
        guard dimension > 0 else {
            isEmpty = true
            continue
        }
        let (value, overflow) = product.multipliedReportingOverflow(by: dimension)
        guard !overflow else { return nil }
        product = value
    }
    return isEmpty ? 0 : product
}
