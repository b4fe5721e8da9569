import Foundation
import MenoFormats
import MenoTesting
import Testing

/// Against the files and values that the `gguf` and `safetensors` packages wrote (`Tests/Reference/make_formats.py`).
@Suite struct StorageTests {
    static let types = [
        "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "Q2_K", "Q3_K",
        "IQ4_NL", "IQ4_XS", "MXFP4",
    ]

    @Test(arguments: types) func dequantisesBitForBit(_ type: String) throws {
        let file = try GGUFFile(contentsOf: Fixtures.url("formats/storage.gguf"))
        let expected = try SafetensorsFile(contentsOf: Fixtures.url("formats/storage.safetensors"))
        let info = try #require(file.weight(named: type))
        #expect(info.storage == type)
        #expect(info.shape == expected.weight(named: type)?.shape)
        #expect(try floats(file, type).map(\.bitPattern) == floats(expected, type).map(\.bitPattern))
    }

    @Test func metadataKeepsItsTypes() throws {
        let metadata = try GGUFFile(contentsOf: Fixtures.url("formats/storage.gguf")).metadata
        #expect(try metadata.string("general.architecture") == "llama")
        #expect(try metadata.string("test.text") == "ソクラテス")
        #expect(try metadata.int("test.number") == 7)
        #expect(try metadata.strings("test.strings") == ["a", "い", ""])
        #expect(throws: FormatError.self) { try metadata.int("test.text") }
        #expect(throws: FormatError.self) { try metadata.string("test.absent") }
    }

    @Test func writtenTensorsAreReadBack() throws {
        let url = temporaryURL("written.safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        let writer = try SafetensorsWriter(
            to: url, tensors: [.init("重み", .float32, [2, 3]), .init("empty", .float32, [0])], metadata: ["format": "pt"]
        )
        try writer.write("重み", [Float(1), 2, 3, 4, 5, 6])
        try writer.write("empty", [Float]())
        try writer.finish()
        let file = try SafetensorsFile(contentsOf: url)
        #expect(file.metadata == ["format": "pt"])
        #expect(file.weight(named: "重み")?.shape == [2, 3])
        #expect(try floats(file, "重み") == [1, 2, 3, 4, 5, 6])
        #expect(try floats(file, "empty").isEmpty)
    }

    @Test func aMissingFileIsNotFound() {
        let error = #expect(throws: FormatError.self) { try GGUFFile(contentsOf: temporaryURL("absent.gguf")) }
        #expect(error?.code == .notFound)
    }

    @Test(arguments: ["storage.gguf", "storage.safetensors"]) func damagedFilesNeverCrash(_ name: String) throws {
        var original = Array(try Data(contentsOf: Fixtures.url("formats/\(name)")))
        if name == "storage.safetensors" { original = try smallSafetensors() }
        let url = temporaryURL("damaged-\(name)")
        defer { try? FileManager.default.removeItem(at: url) }
        var generator = SeededGenerator(seed: 20)
        var refused = 0
        for _ in 0..<10_000 {
            try Data(mutated(original, using: &generator)).write(to: url)
            do {
                let source: any WeightSource =
                    name.hasSuffix("gguf") ? try GGUFFile(contentsOf: url) : try SafetensorsFile(contentsOf: url)
                for info in source.weights where info.count <= 1 << 16 { _ = try floats(source, info.name) }
            } catch is FormatError {
                refused += 1
            }
        }
        #expect(refused > 1000)
    }

    private func smallSafetensors() throws -> [UInt8] {
        let url = temporaryURL("small.safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        let writer = try SafetensorsWriter(
            to: url, tensors: [.init("a", .float32, [2, 3]), .init("b", .float32, [4])])
        try writer.write("a", [Float](repeating: 1, count: 6))
        try writer.write("b", [Float](repeating: 2, count: 4))
        try writer.finish()
        return Array(try Data(contentsOf: url))
    }

    private func floats(_ source: any WeightSource, _ name: String) throws -> [Float] {
        let count = source.weight(named: name)?.count ?? 0
        return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            try source.read(name, as: .float32, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    private func temporaryURL(_ name: String) -> URL {
        FileManager.default.temporaryDirectory.appending(
            path: "meno-\(ProcessInfo.processInfo.processIdentifier)-\(name)")
    }
}
