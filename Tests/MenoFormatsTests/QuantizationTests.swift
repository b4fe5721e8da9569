import Foundation
import MenoFormats
import MenoTesting
import Testing

/// Against the bytes of the `gguf` package (`Tests/Reference/make_quantization.py`).
@Suite struct QuantizationTests {
    static let reference = Result { try SafetensorsFile(contentsOf: Fixtures.url("formats/quantization.safetensors")) }

    @Test(arguments: [GGUFTensorType.Q4_0, .Q4_1, .Q5_0, .Q5_1, .Q8_0, .F16, .BF16])
    func isTheReferencesBitForBit(_ type: GGUFTensorType) throws {
        let file = try Self.reference.get()
        #expect(try encoded(values(), as: type) == file.elements(type.name, as: UInt8.self))
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
        let once = encoded(part, as: .Q4_0)
        #expect(encoded(many, as: .Q4_0) == [[UInt8]](repeating: once, count: 6).flatMap { $0 })
    }

    private func values() throws -> [Float] { try Self.reference.get().elements("values", as: Float.self) }

    private func encoded(_ values: [Float], as type: GGUFTensorType) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: values.count / type.block.elements * type.block.bytes)
        values.withUnsafeBufferPointer { values in
            bytes.withUnsafeMutableBytes { Quantization.encode(values, as: type, into: $0) }
        }
        return bytes
    }
}
