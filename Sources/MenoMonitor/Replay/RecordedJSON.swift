internal import MenoFormats

/// The JSON of a recorded run, as Python or Meno writes it.
struct RecordedJSON {
    let value: JSONValue
    private let bytes: [UInt8]

    /// - Throws: ``MonitorError`` with line and column.
    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        do {
            value = try bytes.withUnsafeBytes { buffer in
                var reader = JSONReader(buffer, from: Self.start(of: bytes))
                let value = try reader.value()
                try reader.end("the file")
                return value
            }
        } catch let error as JSONReader.Fault {
            throw MonitorError(
                .malformed, at: Self.place(of: error.offset, in: bytes), "\(error.message).",
                advice: "The file may be truncated or damaged; use the one from the previous checkpoint.")
        }
    }

    /// `line 3, column 7` of a value that is there, both from 1, the column in bytes.
    func place(of path: [JSONReader.PathStep]) -> String {
        let offset = bytes.withUnsafeBytes { JSONReader.offset(of: path, in: $0, from: Self.start(of: bytes)) }
        return Self.place(of: offset ?? 0, in: bytes)
    }

    /// Behind a byte order mark.
    private static func start(of bytes: [UInt8]) -> Int { bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0 }

    private static func place(of offset: Int, in bytes: [UInt8]) -> String {
        let before = bytes.prefix(max(0, offset))
        let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        let column = before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count + 1
        return "line \(line), column \(column)"
    }
}
