import Foundation
import MenoFormats
import MenoTesting
import Testing

/// Against the bytes of the `gguf` package and of llama.cpp (`Tests/Reference/make_quantization.py`).
@Suite struct QuantizationTests {
    static let reference = Result { try SafetensorsFile(contentsOf: Fixtures.url("formats/quantization.safetensors")) }
    static let columns = 256
    /// Rows of normal numbers, of heavy tails, of numbers far from zero, and of rounding's edges.
    static let groups: [Range<Int>] = [0..<24, 24..<36, 36..<44, 44..<48]

    @Test(arguments: [GGUFTensorType.Q4_0, .Q4_1, .Q5_0, .Q5_1, .Q8_0, .F16, .BF16])
    func isTheReferencesBitForBit(_ type: GGUFTensorType) throws {
        let file = try Self.reference.get()
        #expect(try encoded(values(), as: type) == file.elements(type.name, as: UInt8.self))
    }

    /// The search for scales is this project's own; it must not lose more than a fiftieth beside llama.cpp's.
    @Test(arguments: [GGUFTensorType.Q4_K, .Q5_K, .Q6_K]) func losesNoMoreThanLlamaCpp(_ type: GGUFTensorType) throws {
        let file = try Self.reference.get()
        let values = try values()
        let ours = try decoded(encoded(values, as: type), as: type)
        let theirs = try decoded(file.elements(type.name, as: UInt8.self), as: type)
        for rows in Self.groups {
            let range = rows.lowerBound * Self.columns..<rows.upperBound * Self.columns
            let error = { (decoded: [Float]) in range.reduce(0.0) { $0 + pow(Double(decoded[$1] - values[$1]), 2) } }
            #expect(error(ours) <= 1.02 * error(theirs), "rows \(rows): \(error(ours)) beside \(error(theirs))")
        }
    }

    @Test(arguments: Quantization.supported) func anyNumbersAreEncoded(_ type: GGUFTensorType) throws {
        var generator = SeededGenerator(seed: 4)
        let values = (0..<256).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator)) }
        for part in [
            values, [Float](repeating: .infinity, count: 256), [Float](repeating: -.leastNonzeroMagnitude, count: 256),
        ] {
            _ = encoded(part, as: type)
        }
    }

    /// Many blocks are encoded by several threads, to the same bytes.
    @Test func threadsChangeNothing() throws {
        let part = try values()
        let many = [[Float]](repeating: part, count: 6).flatMap { $0 }
        let once = encoded(part, as: .Q4_K)
        #expect(encoded(many, as: .Q4_K) == [[UInt8]](repeating: once, count: 6).flatMap { $0 })
    }

    private func values() throws -> [Float] { try Self.reference.get().elements("values", as: Float.self) }

    private func encoded(_ values: [Float], as type: GGUFTensorType) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: values.count / type.block.elements * type.block.bytes)
        values.withUnsafeBufferPointer { values in
            bytes.withUnsafeMutableBytes { Quantization.encode(values, as: type, into: $0) }
        }
        return bytes
    }

    /// Through a file, as it is read.
    private func decoded(_ bytes: [UInt8], as type: GGUFTensorType) throws -> [Float] {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "t.gguf")
        let count = bytes.count / type.block.bytes * type.block.elements
        let writer = try GGUFWriter(to: url, metadata: [], tensors: [.init("t", type, [count / 256, 256])])
        try bytes.withUnsafeBytes { try writer.write("t", $0) }
        try writer.finish()
        let file = try GGUFFile(contentsOf: url)
        var values = [Float](repeating: 0, count: count)
        try values.withUnsafeMutableBytes { try file.read("t", as: .float32, into: $0) }
        return values
    }
}
