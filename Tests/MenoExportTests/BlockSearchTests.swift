import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

/// Against the bytes of llama.cpp (`Tests/Reference/make_quantization.py`).
@Suite struct BlockSearchTests {
    private static let reference = Result {
        try SafetensorsFile(contentsOf: Fixtures.url("formats/quantization.safetensors"))
    }
    private static let columns = 256
    /// Rows of normal numbers, of heavy tails, of numbers far from zero, and of rounding's edges.
    private static let groups: [Range<Int>] = [0..<24, 24..<36, 36..<44, 44..<48]

    /// The search for scales is this project's own; it must not lose more than a fiftieth beside llama.cpp's.
    @Test(arguments: BlockSearch.allCases) func losesNoMoreThanLlamaCpp(_ type: BlockSearch) throws {
        let file = try Self.reference.get()
        let values = try values()
        let ours = try decoded(type.blocks(of: values).array(), as: type)
        let theirs = try decoded(file.elements(type.rawValue, as: UInt8.self), as: type)
        for rows in Self.groups {
            let range = rows.lowerBound * Self.columns..<rows.upperBound * Self.columns
            let error = { (decoded: [Float]) in range.reduce(0.0) { $0 + pow(Double(decoded[$1] - values[$1]), 2) } }
            #expect(error(ours) <= 1.02 * error(theirs), "rows \(rows): \(error(ours)) beside \(error(theirs))")
        }
    }

    @Test(arguments: BlockSearch.allCases) func anyNumbersAreEncoded(_ type: BlockSearch) throws {
        var generator = SeededGenerator(seed: 4)
        let values = (0..<256).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator)) }
        for part in [
            values, [Float](repeating: .infinity, count: 256), [Float](repeating: -.leastNonzeroMagnitude, count: 256),
        ] {
            _ = try type.blocks(of: part)
        }
    }

    /// Blocks are searched two at a time, and by several threads, to the same bytes.
    @Test(arguments: BlockSearch.allCases) func neighborsChangeNothing(_ type: BlockSearch) throws {
        let values = try values()
        let one = { (row: Int) -> [UInt8] in
            try type.blocks(of: Array(values[row * Self.columns..<(row + 1) * Self.columns])).array()
        }
        let apart = try (0..<values.count / Self.columns).flatMap(one)
        let many = [[Float]](repeating: values, count: 6).flatMap { $0 }
        #expect(try type.blocks(of: many).array() == [[UInt8]](repeating: apart, count: 6).flatMap { $0 })
    }

    private func values() throws -> [Float] { try Self.reference.get().elements("values", as: Float.self) }

    /// Through a file, as it is read.
    private func decoded(_ bytes: [UInt8], as type: BlockSearch) throws -> [Float] {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "t.gguf")
        let stored = [BlockSearch.Q4_K: GGUFTensorType.Q4_K, .Q5_K: .Q5_K, .Q6_K: .Q6_K][type]!
        let count = bytes.count / stored.block.bytes * stored.block.elements
        let writer = try GGUFWriter(to: url, metadata: [], tensors: [.init("t", stored, [count / 256, 256])])
        try bytes.withUnsafeBytes { try writer.write("t", $0) }
        try writer.finish()
        let file = try GGUFFile(contentsOf: url)
        var values = [Float](repeating: 0, count: count)
        try values.withUnsafeMutableBytes { try file.read("t", as: .float32, into: $0) }
        return values
    }
}
