import Foundation
import MenoTesting
import Testing

@testable import MenoFormats

/// Tensors of every block type whose shapes or sizes do not fit their blocks.
@Suite struct BlockShapeTests {
    static let types = GGUFTensorType.allCases.filter { $0.block.elements > 1 }

    /// A GGUF file with one tensor.
    private func file(_ type: GGUFTensorType, shape: [Int], bytes: Int) -> MemoryMappedFile {
        var data: [UInt8] = Array("GGUF".utf8)
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { data += Array($0) } }
        append(UInt32(3))
        append(UInt64(1))
        append(UInt64(0))
        append(UInt64(1))
        data += Array("t".utf8)
        append(UInt32(shape.count))
        for size in shape.reversed() { append(UInt64(size)) }
        append(type.rawValue)
        append(UInt64(0))
        data += [UInt8](repeating: 0, count: (32 - data.count % 32) % 32)
        data += (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        return MemoryMappedFile(bytes: data, path: "blocks.gguf")
    }

    @Test(arguments: types) func rowsAreWholeBlocks(_ type: GGUFTensorType) throws {
        let (elements, bytes) = type.block
        for columns in [elements - 1, elements + 1, elements / 2, 3 * elements / 2] {
            // Twice as many rows make whole blocks of all values, but not of each row.
            #expect(throws: FormatError.self) { try GGUFFile(file(type, shape: [2, columns], bytes: 8 * bytes)) }
        }
        _ = try GGUFFile(file(type, shape: [2, 2 * elements], bytes: 4 * bytes))
    }

    @Test(arguments: types) func truncatedTensorsAreRefused(_ type: GGUFTensorType) throws {
        let (elements, bytes) = type.block
        for count in [0, 1, bytes - 1, 4 * bytes - 1] {
            let error = #expect(throws: FormatError.self) {
                try GGUFFile(file(type, shape: [2, 2 * elements], bytes: count))
            }
            #expect(error?.code == .malformed)
        }
    }

    /// Any bytes are values; types that cannot be read are named with those that can.
    @Test(arguments: types) func anyBytesDecode(_ type: GGUFTensorType) throws {
        let (elements, bytes) = type.block
        let source = try GGUFFile(file(type, shape: [3, 2 * elements], bytes: 6 * bytes))
        var values = [Float](repeating: -1, count: 4 * elements)
        let read = {
            try values.withUnsafeMutableBytes {
                try source.read("t", elements: 2 * elements..<6 * elements, as: .float32, into: $0)
            }
        }
        guard type.storage == nil else { return try read() }
        let error = #expect(throws: FormatError.self) { try read() }
        #expect(error?.code == .unsupported && error?.description.contains("Q4_K") == true)
        #expect(source.packing(of: "t") == nil)
    }
}
