import Foundation
import MenoFormats
import MenoTesting
import Testing

@Suite struct GGUFWriterTests {
    let folder = try! TemporaryFolder()
    var url: URL { folder.url.appending(path: "written.gguf") }

    /// Every kind of value, an array in an array included.
    static let metadata: [(key: String, value: GGUFValue)] = [
        ("general.architecture", .string("llama")), ("a", .uint8(200)), ("b", .int8(-3)), ("c", .uint16(60_000)),
        ("d", .int16(-300)), ("e", .uint32(4_000_000_000)), ("f", .int32(-70_000)), ("g", .float32(0.1)),
        ("h", .bool(true)), ("i", .string("ソクラテス")), ("j", .uint64(1 << 60)), ("k", .int64(-1 << 60)),
        ("l", .float64(0.1)), ("m", .strings(["a", "", "い"])), ("n", .floats([1, -0.5])), ("o", .int32s([1, -2])),
        ("p", .array(.bool, [.bool(false), .bool(true)])), ("q", .array(.array, [.strings(["x"]), .floats([])])),
    ]

    private func write(alignment: UInt32? = nil) throws {
        let own: [(key: String, value: GGUFValue)] = alignment.map { [("general.alignment", .uint32($0))] } ?? []
        let writer = try GGUFWriter(
            to: url, metadata: Self.metadata + own,
            tensors: [
                .init("a", .F32, [3]), .init("b", .Q8_0, [2, 32]), .init("空", .F32, [0]), .init("c", .F16, [1, 2, 3]),
            ])
        // In parts, and in another order.
        try writer.write("c", [UInt16](repeating: 0x3C00, count: 6))
        try writer.write("a", [Float(1), 2])
        try writer.write("a", [Float(3)])
        try writer.write("b", [UInt8](repeating: 1, count: 68))
        try writer.finish(synchronize: true)
        #expect(try Data(contentsOf: url).count == writer.fileSize)
    }

    @Test(arguments: [nil, 8, 4096] as [UInt32?]) func isReadBack(alignment: UInt32?) throws {
        try write(alignment: alignment)
        let file = try GGUFFile(contentsOf: url)
        #expect(file.version == 3)
        #expect(file.alignment == alignment.map(Int.init) ?? 32)
        #expect(file.metadata.keys.prefix(Self.metadata.count) == Self.metadata.map(\.key)[...])
        for (key, value) in Self.metadata {
            #expect(try Self.text(#require(file.metadata[key])) == Self.text(value), "\(key)")
        }
        #expect(file.tensors.map(\.shape) == [[3], [2, 32], [0], [1, 2, 3]])
        #expect(file.tensors.allSatisfy { $0.bytes.lowerBound % file.alignment == 0 })
        var values = [Float](repeating: 0, count: 3)
        try values.withUnsafeMutableBytes { try file.read("a", as: .float32, into: $0) }
        #expect(values == [1, 2, 3])
        var part = [Float](repeating: 0, count: 2)
        try part.withUnsafeMutableBytes { try file.read("a", elements: 1..<3, as: .float32, into: $0) }
        #expect(part == [2, 3])
    }

    private static func text(_ value: GGUFValue) throws -> String {
        guard case .array(let array) = value else { return "\(value)" }
        return "\(array.elementType) \(try array.values().map(text))"
    }

    /// What a file holds is copied bit for bit: arrays of metadata, and tensors of types that are not even decoded.
    @Test func aCopyIsTheSame() throws {
        let source = try GGUFFile(contentsOf: Fixtures.url("formats/storage.gguf"))
        let writer = try GGUFWriter(
            to: url, metadata: source.metadata.keys.map { ($0, source.metadata[$0]!) },
            tensors: source.tensors.map { .init($0.name, $0.type, $0.shape) })
        for tensor in source.tensors { try writer.copy(tensor, of: source, as: tensor.name) }
        try writer.finish()
        #expect(try Data(contentsOf: url) == Data(contentsOf: Fixtures.url("formats/storage.gguf")))
    }

    @Test func nothingIsLeftOfAFileThatWasNotFinished() throws {
        do {
            let writer = try GGUFWriter(to: url, metadata: Self.metadata, tensors: [.init("a", .F32, [3])])
            try writer.write("a", [Float(1)])
            #expect(throws: FormatError.self) { try writer.write("a", [Float](repeating: 0, count: 3)) }
            #expect(throws: FormatError.self) { try writer.write("b", [Float(1)]) }
            #expect(throws: FormatError.self) { try writer.finish() }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    @Test func impossibleFilesAreRefused() {
        #expect(throws: FormatError.self) { try GGUFWriter(to: url, metadata: [], tensors: [.init("a", .Q8_0, [31])]) }
        #expect(throws: FormatError.self) { try GGUFWriter(to: url, metadata: [], tensors: [.init("a", .F32, [-1])]) }
        #expect(throws: FormatError.self) {
            try GGUFWriter(to: url, metadata: [("a", .bool(true)), ("a", .bool(true))], tensors: [])
        }
        #expect(throws: FormatError.self) {
            try GGUFWriter(to: url, metadata: [], tensors: [.init("a", .F32, [1]), .init("a", .F32, [1])])
        }
    }
}

extension GGUFWriter {
    fileprivate func write<Element: BitwiseCopyable>(_ name: String, _ elements: [Element]) throws {
        try elements.withUnsafeBytes { try write(name, $0) }
    }
}
