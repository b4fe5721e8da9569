internal import Foundation

/// The part of a text that is in memory: a stretch that moves over a stream and grows to hold what is needed at once.
final class TextWindow {
    /// The most that a record may take.
    static let limit = 1 << 30
    private static let stretch = 1 << 20

    private let stream: any ByteStream
    private var memory: UnsafeMutableRawBufferPointer
    /// The offset in the text of the first byte that is in memory.
    private(set) var base = 0
    private var filled = 0
    private var isExhausted = false

    init(_ stream: any ByteStream) {
        self.stream = stream
        memory = .allocate(byteCount: Self.stretch, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// What is in memory, valid until the next call of ``extend(keepingFrom:)``.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<filled]) }
    /// The offset behind what is in memory.
    var end: Int { base + filled }

    /// Reads on.
    /// - Parameter offset: what lies before is given up.
    /// - Returns: `false` where the text is at its end.
    func extend(keepingFrom offset: Int) throws -> Bool {
        guard !isExhausted else { return false }
        let dropped = min(max(0, offset - base), filled)
        if dropped > 0 {
            memmove(memory.baseAddress!, memory.baseAddress! + dropped, filled - dropped)
            base += dropped
            filled -= dropped
        }
        if filled == memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * memory.count, alignment: 16)
            larger.copyMemory(from: bytes)
            memory.deallocate()
            memory = larger
        }
        let count = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: memory[filled...]))
        filled += count
        isExhausted = count == 0
        return count > 0
    }

    /// The bytes of a range that is in memory.
    func copy(_ range: Range<Int>) -> [UInt8] { Array(bytes[range.lowerBound - base..<range.upperBound - base]) }

    /// Lends the bytes of a range that is in memory.
    func lend<Result>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound - base..<range.upperBound - base]))
    }
}
