/// Lines and columns of bytes that are asked for in ascending order, without walking over a text twice.
struct LinePositions {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0
    private var line = 1
    private var lineStart = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// `line 3, column 14`, both counted from 1, columns in characters.
    mutating func position(of offset: Int) -> String {
        if offset < place { self = LinePositions(bytes) }
        while place < min(offset, bytes.count) {
            if bytes[place] == 0x0A { (line, lineStart) = (line + 1, place + 1) }
            place += 1
        }
        // Bytes that continue a character begin with 10.
        let column = 1 + bytes[lineStart..<max(lineStart, min(offset, bytes.count))].count { $0 & 0xC0 != 0x80 }
        return "line \(line), column \(column)"
    }
}
