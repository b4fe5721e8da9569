import Foundation
import MenoTesting
import Testing

@testable import MenoFormats

/// Models that transformers and bitsandbytes wrote (`Tests/Reference/make_bitsandbytes_models.py`).
@Suite struct BitsandbytesTests {
    static let names = ["nf4", "fp4", "int8"]

    private func file(_ name: String) -> URL { Fixtures.url("bitsandbytes/\(name)/model.safetensors") }

    @Test(arguments: names) func decodesBitForBit(_ name: String) throws {
        let weights = try WeightFiles.open(file(name))
        let expected = try SafetensorsFile(contentsOf: Fixtures.url("bitsandbytes/\(name)/expected.safetensors"))
        #expect(weights.weights.allSatisfy { !$0.name.contains("absmax") && !$0.name.hasSuffix("SCB") })
        for tensor in expected.weights where tensor.name.hasPrefix("decoded.") {
            let weight = String(tensor.name.dropFirst("decoded.".count)) + ".weight"
            let info = try #require(weights.weight(named: weight))
            let isSkipped = name == "fp4" && weight.contains("down_proj")
            #expect(info.shape == tensor.shape && info.storage == (isSkipped ? "F32" : name.uppercased()))
            let values = try floats(weights, info, 0..<info.count)
            #expect(try values.map(\.bitPattern) == expected.elements(tensor.name, as: Float.self).map(\.bitPattern))
            // A part that begins and ends within blocks.
            let part = info.shape[1] + 30..<3 * info.shape[1] + 18
            #expect(try floats(weights, info, part) == Array(values[part]))
        }
    }

    private func floats(_ source: any WeightSource, _ info: WeightInfo, _ elements: Range<Int>) throws -> [Float] {
        var values = [Float](repeating: 0, count: elements.count)
        try values.withUnsafeMutableBytes {
            try source.read(info.name, elements: elements, as: .float32, into: $0)
        }
        return values
    }

    // MARK: Bad input

    private func temporaryURL(_ name: String) -> URL {
        FileManager.default.temporaryDirectory.appending(path: "meno-\(UUID().uuidString)-\(name)")
    }

    /// A file whose tensors were changed before it was written again.
    private func changed(_ name: String, _ change: (inout [String: Stored]) -> Void) throws -> FormatError? {
        let source = try SafetensorsFile(contentsOf: file(name))
        var tensors = try Dictionary(
            uniqueKeysWithValues: source.tensors.map { tensor in
                let bytes = try source.withUnsafeBytes(of: tensor.name) { Array($0) }
                return (tensor.name, Stored(type: tensor.type.rawValue, shape: tensor.shape, bytes: bytes))
            })
        change(&tensors)
        let url = temporaryURL("changed-\(name).safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        try Stored.write(tensors, to: url)
        do {
            _ = try WeightFiles.open(url)
            return nil
        } catch let error as FormatError {
            return error
        }
    }

    struct Stored {
        var type: String
        var shape: [Int]
        var bytes: [UInt8]

        static func write(_ tensors: [String: Stored], to url: URL) throws {
            var (offset, header, data) = (0, [String: Any](), Data())
            for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
                header[name] = [
                    "dtype": tensor.type, "shape": tensor.shape,
                    "data_offsets": [offset, offset + tensor.bytes.count],
                ]
                offset += tensor.bytes.count
                data += tensor.bytes
            }
            let json = try JSONSerialization.data(withJSONObject: header)
            var file = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
            file += json
            file += data
            try file.write(to: url)
        }
    }

    private static let weight = "model.layers.0.self_attn.k_proj.weight"
    private static let state = weight + ".quant_state.bitsandbytes__nf4"

    @Test func unchangedFilesAreRead() throws {
        for name in Self.names { #expect(try changed(name) { _ in } == nil) }
    }

    @Test(arguments: [
        (".absmax", "absmax"), (".quant_map", "quant_map"), (".nested_absmax", "nested_absmax"),
        (".nested_quant_map", "nested_quant_map"), ("", "codes"),
    ]) func partsThatAreMissingOrShortAreNamed(_ part: String, _ word: String) throws {
        let short = try #require(
            try changed("nf4") { tensors in
                let name = Self.weight + part
                let old = tensors[name]!
                let size = old.type == "F32" ? 4 : 1
                tensors[name] = Stored(
                    type: old.type, shape: [old.bytes.count / size - 1], bytes: Array(old.bytes.dropLast(size)))
            })
        #expect(short.code == .malformed && short.message.contains(word) && short.message.contains("k_proj"))
        guard !part.isEmpty else { return }
        let missing = try #require(try changed("nf4") { $0[Self.weight + part] = nil })
        #expect(missing.code == .malformed && missing.message.contains(word))
    }

    @Test(arguments: [
        ("\"shape\": [32, 64]", "\"shape\": [32, 65]", "codes"),
        ("\"shape\": [32, 64]", "\"shape\": [-1, 64]", "shape"),
        ("\"shape\": [32, 64]", "\"shape\": 64      ", "shape"),
        ("\"blocksize\": 64", "\"blocksize\": -4", "blocksize"),
        ("\"blocksize\": 64", "\"blocksize\": 32", "absmax"), ("nested_offset", "nested_offsex", "nested_offset"),
        ("\"nested_blocksize\": 256", "\"nested_blocksize\": 1e9", "nested_blocksize"),
        ("\"nf4\"", "\"fp4\"", "quant_type"), ("{", "[", "JSON"), ("}", " ", "JSON"),
    ]) func statesThatContradictThemselvesAreRefused(_ old: String, _ new: String, _ word: String) throws {
        let error = try #require(
            try changed("nf4") { tensors in
                let text = String(decoding: tensors[Self.state]!.bytes, as: UTF8.self)
                let bytes = Array(text.replacing(old, with: new, maxReplacements: 1).utf8)
                #expect(bytes != tensors[Self.state]!.bytes)
                tensors[Self.state] = Stored(type: "U8", shape: [bytes.count], bytes: bytes)
            })
        #expect(error.code == .malformed && error.message.contains(word), "\(error)")
    }

    @Test func eightBitsWithoutScalesOrInAnotherOrderAreRefused() throws {
        let scales = "model.layers.0.self_attn.k_proj.SCB"
        #expect(try changed("int8") { $0[scales] = nil }?.message.contains("SCB") == true)
        let tiled = try changed("int8") { $0["model.layers.0.self_attn.k_proj.weight_format"]!.bytes = [2] }
        #expect(tiled?.code == .unsupported)
        let infinite = try changed("int8") { $0[scales]!.bytes.replaceSubrange(0..<4, with: [0, 0, 0x80, 0x7F]) }
        #expect(infinite?.code == .malformed)
    }

    /// Whatever is in a file, it is refused or all of its weights can be read.
    @Test(arguments: names) func damagedFilesNeverCrash(_ name: String) throws {
        // One matrix, so that most damage meets its state.
        var small: [String: Stored] = [:]
        let source = try SafetensorsFile(contentsOf: file(name))
        for tensor in source.tensors where tensor.name.contains("layers.0.self_attn.k_proj") {
            small[tensor.name] = Stored(
                type: tensor.type.rawValue, shape: tensor.shape,
                bytes: try source.withUnsafeBytes(of: tensor.name) { Array($0) })
        }
        let url = temporaryURL("damaged-\(name).safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        try Stored.write(small, to: url)
        let original = Array(try Data(contentsOf: url))
        var generator = SeededGenerator(seed: 28)
        var (refused, read) = (0, 0)
        for _ in 0..<3_000 {
            try Data(mutated(original, using: &generator)).write(to: url)
            do {
                let weights = try WeightFiles.open(url)
                for info in weights.weights where info.count < 1 << 16 {
                    if info.storage.hasPrefix("U") || info.storage.hasPrefix("I") && info.storage != "INT8" { continue }
                    if let quantized = weights as? BitsandbytesWeights, let matrix = quantized.matrix(named: info.name)
                    {
                        var codes = [UInt8](repeating: 0, count: matrix.codeBytes)
                        try codes.withUnsafeMutableBytes { try quantized.readCodes(info.name, into: $0) }
                    }
                    do { _ = try floats(weights, info, 0..<info.count) } catch is FormatError {}
                }
                read += 1
            } catch is FormatError {
                refused += 1
            }
        }
        #expect(refused > 500 && read > 100)
    }
}
