import Foundation
import MenoFormats
@testable import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Weights that stay packed, beside the same weights decoded.
@Suite(.drawsRandomNumbers) struct PackedWeightTests {
    static let formats: [FrozenMatrix.Format] = [
        .F16, .Q4_0, .Q4_1, .Q5_0, .Q5_1, .Q8_0, .Q2_K, .Q3_K, .Q4_K, .Q5_K, .Q6_K, .IQ4_NL, .IQ4_XS, .MXFP4,
    ]

    /// Against the values of the `gguf` package (`Tests/Reference/make_formats.py`).
    @Test(arguments: formats) func decodesBitForBit(_ format: FrozenMatrix.Format) throws {
        let file = try GGUFFile(contentsOf: Fixtures.url("formats/storage.gguf"))
        let expected = try SafetensorsFile(contentsOf: Fixtures.url("formats/storage.safetensors"))
            .elements(format.rawValue, as: Float.self)
        let (info, blocks) = try (
            #require(file.weight(named: format.rawValue)), #require(file.packing(of: format.rawValue))
        )
        #expect(blocks.type == format.rawValue)
        let (rows, columns) = (info.shape[0], info.shape[1])
        let bytes = try Tensor(uninitialized: [rows, columns / blocks.elements * blocks.bytes], dtype: .uint8)
        try bytes.withMutableBytes { try file.readPacked(format.rawValue, into: $0) }
        let matrix = try FrozenMatrix(packed: [bytes], format: format, columns: columns)
        let values = try matrix.values(.float32)
        #expect(try values.array(of: Float.self).map(\.bitPattern) == expected.map(\.bitPattern))
        #expect(
            try matrix.values(.bfloat16).to(.float32).array(of: Float.self)
                == values.to(.bfloat16).to(.float32).array(of: Float.self))
        let order = (0..<Int64(rows)).reversed() + [0]
        #expect(
            try matrix.rows(at: Tensor(Array(order))).array(of: Float.self)
                == values.indexed(by: Tensor(Array(order)), along: 0).array(of: Float.self))
        #expect(matrix.byteCount == bytes.count)
    }

    /// Against bitsandbytes (`Tests/Reference/make_bitsandbytes.py`).
    @Test(arguments: [
        ("nf4", FrozenMatrix.Format.fourBits), ("fp4", .fourBits), ("nf4_nested", .nestedFourBits),
        ("fp4_nested", .nestedFourBits), ("int8", .int8),
    ]) func decodesAsBitsandbytes(_ name: String, _ format: FrozenMatrix.Format) throws {
        let file = try SafetensorsFile(contentsOf: Fixtures.url("formats/bitsandbytes.safetensors"))
        let shape = try #require(file.weight(named: "\(name).decoded")).shape
        let tensor = { (part: String) in
            let info = try #require(file.weight(named: "\(name).\(part)"))
            return try Tensor(file.elements(info.name, as: Float.self), shape: info.shape)
        }
        let names =
            switch format {
            case .int8: ["scales"]
            case .nestedFourBits: ["codebook", "scale_codes", "scale_codebook", "scale_scales", "scale_offset"]
            default: ["codebook", "scales"]
            }
        let bytes = ["codes", "scale_codes"]
        let parts = try (["codes"] + names).map { part in
            try bytes.contains(part) ? tensor(part).to(.uint8) : tensor(part)
        }
        let matrix = try FrozenMatrix(packed: parts, format: format, columns: shape[1])
        let expected = try file.elements("\(name).decoded", as: Float.self)
        #expect(try matrix.values(.float32).array(of: Float.self).map(\.bitPattern) == expected.map(\.bitPattern))
        let last = try matrix.rows(at: Tensor([Int64(shape[0] - 1)])).array(of: Float.self)
        #expect(last == Array(expected.suffix(shape[1])))
    }

    /// Codes and scales, against bitsandbytes' own.
    @Test(arguments: ["nf4", "fp4"]) func quantisesAsBitsandbytes(_ name: String) throws {
        let file = try SafetensorsFile(contentsOf: Fixtures.url("formats/bitsandbytes.safetensors"))
        let info = try #require(file.weight(named: "\(name).values"))
        let values = try Tensor(file.elements(info.name, as: Float.self), shape: info.shape)
        let type = try #require(FourBitType(rawValue: name))
        let matrix = try FrozenMatrix.fourBits(values, type: type, nested: false)
        let expected = try file.elements("\(name).decoded", as: Float.self)
        #expect(try matrix.values(.float32).array(of: Float.self) == expected)
        #expect(matrix.byteCount == matrix.count / 2 + 16 * 4 + matrix.count / 64 * 4)
        // A few rows at a time, in both types.
        let rounded = try values.to(.bfloat16)
        for source in [values, rounded] {
            let parts = try FrozenMatrix.fourBits(shape: values.shape, type: type, nested: false) {
                try source.narrowed(0, start: $0.lowerBound, count: $0.count)
            }
            let whole = try FrozenMatrix.fourBits(source.to(.float32), type: type, nested: false)
            #expect(try parts.values(.float32).array(of: Float.self) == whole.values(.float32).array(of: Float.self))
        }
    }

    /// Scales, too, are the nearest of 256. bitsandbytes' library for CPUs finds them by a table with 65,536 entries for what lies
    /// between -1 and 1; codes that differ do so because of its steps.
    @Test(arguments: ["nf4", "fp4"]) func scalesAreTheNearestCodes(_ name: String) throws {
        let file = try SafetensorsFile(contentsOf: Fixtures.url("formats/bitsandbytes.safetensors"))
        let floats = { (part: String) in try file.elements("\(name)_nested.\(part)", as: Float.self) }
        let (values, offset) = (try floats("values"), try floats("scale_offset")[0])
        let codebook = try floats("scale_codebook")
        let middles = zip(codebook, codebook.dropFirst()).map { ($0 + $1) / 2 }
        let nearest = { (x: Float) in middles.firstIndex { x <= $0 } ?? 255 }
        let differences = stride(from: 0, to: values.count, by: 64).map { block in
            values[block..<block + 64].map(abs).max()! - offset
        }
        let largest = stride(from: 0, to: differences.count, by: 256).map { start in
            differences[start..<min(start + 256, differences.count)].map(abs).max()!
        }
        let scaled = differences.indices.map { differences[$0] * (1 / largest[$0 / 256]) }
        let stepped = scaled.map { Float(-1 + 2 * Double((($0 + 1) * 32767.5 + 0.5).rounded(.down)) / 65535) }
        // The mean of the scales is the fixture's: its last bit follows the order of a sum.
        #expect(try stepped.map { Float(nearest($0)) } == floats("scale_codes"))
        let shape = try #require(file.weight(named: "\(name)_nested.values")).shape
        let type = try #require(FourBitType(rawValue: name))
        let matrix = try FrozenMatrix.fourBits(Tensor(values, shape: shape), type: type, nested: true)
        let (found, expected) = (try matrix.values(.float32).array(of: Float.self), try floats("decoded"))
        for block in scaled.indices {
            let part = block * 64..<block * 64 + 64
            let isSame = nearest(scaled[block]) == nearest(stepped[block])
            let scale = codebook[nearest(scaled[block])] * largest[block / 256] + offset
            let theirs = codebook[nearest(stepped[block])] * largest[block / 256] + offset
            for (a, b) in zip(found[part], expected[part]) {
                // Without vector instructions libtorch's sum has another order.
                let wanted = isSame ? b : b / theirs * scale
                #expect(isSame && Torch.hasOwnProducts ? a == b : abs(a - wanted) <= 1e-6 * abs(wanted))
            }
        }
        let scales = matrix.count / 64
        #expect(matrix.byteCount == matrix.count / 2 + 16 * 4 + scales + 256 * 4 + (scales + 255) / 256 * 4 + 4)
    }

    @Test func quantisesToEightBitsAsBitsandbytes() throws {
        let file = try SafetensorsFile(contentsOf: Fixtures.url("formats/bitsandbytes.safetensors"))
        let info = try #require(file.weight(named: "nf4.values"))
        // bitsandbytes takes float16.
        let values = try Tensor(file.elements(info.name, as: Float.self), shape: info.shape).to(.float16)
        let matrix = try FrozenMatrix.eightBits(values)
        let expected = try file.elements("int8.decoded", as: Float.self)
        #expect(try matrix.values(.float32).array(of: Float.self) == expected)
    }

    /// A model that is quantised while it is loaded computes as one of the decoded values would.
    @Test(arguments: [WeightQuantization.Kind.fourBits(.nf4, nested: true), .eightBits])
    func modelsAreQuantisedWhileLoading(_ kind: WeightQuantization.Kind) throws {
        let files = try ModelFiles(Fixtures.url("models/llama-untied"))
        let model = try files.load(dtype: .float32, quantization: WeightQuantization(kind))
        let plain = try files.load(dtype: .float32)
        for (layer, other) in zip(model.linears, plain.linears) {
            let (matrix, values) = try (#require(layer.linear.weight.matrix), other.linear.weight.value(.float32))
            // The others have rows of 16 values.
            #expect(matrix.isPacked == FrozenMatrix.quantizes(matrix.shape))
            let error = try relativeError(matrix.values(.float32).array(), values.array())
            #expect(matrix.isPacked ? error > 1e-4 && error < 0.12 : error == 0, "\(layer.name)")
        }
        let skipping = try files.load(
            dtype: .float32, quantization: WeightQuantization(kind, skippedModules: ["down_proj"]))
        #expect(model.linears.contains { $0.name.hasSuffix("down_proj") && $0.linear.weight.matrix?.isPacked == true })
        #expect(
            skipping.linears.allSatisfy {
                $0.linear.weight.matrix?.isPacked == false || !$0.name.hasSuffix("down_proj")
            })
        #expect(model.embedding.matrix?.isPacked == false && model.head.weight.matrix?.isPacked == false)
    }

    /// Rows as they are generated and as they are trained, strips and panels that are not full, sums of more than one part.
    @Test(arguments: formats, [1, 4, 5, 97]) func productsAreThoseOfTheDecodedMatrix(
        _ format: FrozenMatrix.Format, _ tokens: Int
    ) throws {
        for (rows, columns) in [(77, 256), (200, 1536), (64, 512)] {
            let packed = try Self.matrix(format, rows: rows, columns: columns)
            for type in [DType.float32, .bfloat16] {
                let dense = FrozenMatrix(try packed.values(type))
                let outputs = try [packed, dense].map { matrix -> [[Float]] in
                    try RandomGenerator.seed(4)
                    let input = try Tensor.randomNormal([tokens, columns]).to(type).requiringGradient()
                    let output = try input.frozenLinear(matrix)
                    try output.backward(gradient: Tensor.randomNormal([tokens, rows]).to(type))
                    return try [output.detached(), input.gradient()!].map { try $0.to(.float32).array() }
                }
                // A few rows are decoded in registers, with sums in another order; in bfloat16 they are multiplied with what was
                // not rounded to it.
                if tokens <= Torch.fewRows {
                    #expect(relativeError(outputs[0][0], outputs[1][0]) < (type == .bfloat16 ? 1e-2 : 1e-6))
                } else {
                    #expect(outputs[0][0] == outputs[1][0])
                }
                #expect(outputs[0][1] == outputs[1][1])
            }
        }
    }

    @Test(arguments: formats, [0.0, 1e-6]) func theHeadsLossIsThatOfTheDecodedTable(
        _ format: FrozenMatrix.Format, _ threshold: Double
    ) throws {
        let packed = try Self.matrix(format, rows: 1300, columns: 256)
        let dense = FrozenMatrix(try packed.values(.float32))
        try RandomGenerator.seed(7)
        let states = try Tensor.randomNormal([70, 256])
        let targets = (0..<70).map { Int64($0 * 7919 % 1300) }
        guard states.hasVocabularyLoss(packed, threshold: threshold, gradient: true) else { return }
        let results = try [packed, dense].map { table in
            try states.vocabularyLoss(
                table, targets: targets, softcap: 30, threshold: threshold,
                centroids: threshold > 0 ? table.vocabularyCentroids() : nil, gradient: true)
        }
        #expect(results[0].losses == results[1].losses && results[0].isCorrect == results[1].isCorrect)
        #expect(try results[0].gradient!.array(of: Float.self) == results[1].gradient!.array(of: Float.self))
    }

    @Test func partsThatDoNotFitAreRefused() throws {
        let bytes = try Tensor([UInt8](repeating: 0, count: 2 * 36), shape: [2, 36])
        #expect(throws: TorchError.self) { try FrozenMatrix(packed: [bytes], format: .Q4_1, columns: 64) }
        #expect(throws: TorchError.self) { try FrozenMatrix(packed: [bytes], format: .Q4_0, columns: 32) }
        #expect(throws: TorchError.self) { try FrozenMatrix(packed: [bytes], format: .int8, columns: 36) }
        #expect(throws: TorchError.self) { try FrozenMatrix(packed: [bytes], format: .fourBits, columns: 72) }
        #expect(throws: TorchError.self) {
            try FrozenMatrix(packed: [bytes.to(.float32)], format: .Q4_0, columns: 64)
        }
        let matrix = try FrozenMatrix(packed: [bytes], format: .Q4_0, columns: 64)
        #expect(throws: TorchError.self) { try matrix.rows(at: Tensor([Int64(2)])) }
        #expect(throws: ModelError.self) {
            try ModelFiles(Fixtures.url("models/llama-tiny")).load(dtype: .float32, form: .packed)
        }
    }

    /// Whole models, with adapters on every layer: logits, losses and gradients.
    @Test(arguments: ["packed/llama-q8_0.gguf", "packed/gemma3-mixed.gguf"], [DType.float32, .bfloat16])
    func modelsComputeAsDecodedOnes(_ name: String, _ type: DType) throws {
        try compare(Fixtures.url(name), ids: (0..<40).map { Int32($0 * 37 % 96) }, type)
    }

    @Test(
        "SmolLM2 135M, Q4_1",
        .enabled(if: Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf") != nil, "the model is not in the cache"))
    func smolLM2() throws {
        let url = try #require(Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf"))
        try compare(url, ids: (0..<24).map { Int32($0 * 1009 % 40_000) }, .float32)
    }

    @Test(
        "Gemma 3 270M, Q4_K_M",
        .enabled(if: Fixtures.model("gemma-3-270m-q4_k_m.gguf") != nil, "the model is not in the cache"))
    func gemma() throws {
        let url = try #require(Fixtures.model("gemma-3-270m-q4_k_m.gguf"))
        try compare(url, ids: (0..<24).map { Int32($0 * 10_007 % 200_000) }, .float32)
    }

    /// In memory a packed model has the bytes of its file.
    @Test(arguments: ["packed/llama-q8_0.gguf", "packed/gemma3-mixed.gguf"])
    func weightsTakeTheBytesOfTheirFile(_ name: String) throws {
        let file = try GGUFFile(contentsOf: Fixtures.url(name))
        let stored = file.tensors.reduce(0) { $0 + $1.bytes.count }
        let model = try ModelFiles(Fixtures.url(name)).load(dtype: .bfloat16, form: .packed)
        #expect(model.weightBytes == stored)
        #expect(model.denseLinears.isEmpty && model.hasPackedWeights)
        let dense = try ModelFiles(Fixtures.url(name)).load(dtype: .bfloat16)
        #expect(dense.weightBytes > stored && dense.denseLinears.isEmpty && !dense.hasPackedWeights)
    }

    private func compare(_ url: URL, ids: [Int32], _ type: DType) throws {
        let results = try [WeightForm.packed, .dense].map { form -> [(name: String, values: [Float])] in
            let model = try ModelFiles(url).load(dtype: type, form: type == .float32 ? .packed : form)
            // What they decode to is checked above.
            if type == .float32, form == .dense { try decode(model) }
            #expect(model.precision.contains("packed") == (form == .packed))
            try RandomGenerator.seed(9)
            try model.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .allLinear))
            for parameter in model.trainedParameters { try parameter.tensor.detached().uniform_(-0.02, 0.02) }
            model.headGradientThreshold = 0
            let layout = SequenceLayout(lengths: [ids.count])
            let losses = try model.loss(inputIDs: ids, labels: ids, layout: layout).losses
            try losses.sum.backward()
            return try [
                (
                    "logits",
                    withoutGradient {
                        try model.logits(inputIDs: Array(ids.prefix(6)), layout: SequenceLayout(lengths: [6]))
                    }
                    .array()
                ), ("losses", losses.values),
            ] + model.trainedParameters.map { ($0.name, try #require(try $0.tensor.gradient()).array()) }
        }
        for (packed, dense) in zip(results[0], results[1]) {
            #expect(packed.name == dense.name)
            // On dense weights in bfloat16, float32 activations meet rounded values. Where libtorch multiplies, it takes dense
            // weights another way than decoded ones, and adds up in another order.
            let bound = type == .float32 ? (Torch.hasOwnProducts ? 1e-6 : 1e-4) : 0.1
            #expect(relativeError(packed.values, dense.values) < bound, "\(packed.name)")
        }
    }

    private func decode(_ model: Decoder) throws {
        for parameter in model.parameters where parameter.matrix?.isPacked == true {
            try parameter.freeze(parameter.value(.float32))
        }
    }

    /// Random blocks with scales of a weight's size.
    private static func matrix(_ format: FrozenMatrix.Format, rows: Int, columns: Int) throws -> FrozenMatrix {
        let (elements, bytes, scales): (Int, Int, [Int]) =
            switch format {
            case .F16: (1, 2, [0])
            case .Q4_0: (32, 18, [0])
            case .Q4_1: (32, 20, [0, 2])
            case .Q5_0: (32, 22, [0])
            case .Q5_1: (32, 24, [0, 2])
            case .Q8_0: (32, 34, [0])
            case .Q2_K: (256, 84, [80, 82])
            case .Q3_K: (256, 110, [108])
            case .Q4_K: (256, 144, [0, 2])
            case .Q5_K: (256, 176, [0, 2])
            case .Q6_K: (256, 210, [208])
            case .IQ4_NL: (32, 18, [0])
            case .IQ4_XS: (256, 136, [0])
            case .MXFP4: (32, 17, [])
            case .dense, .int8, .fourBits, .nestedFourBits: preconditionFailure("no blocks")
            }
        try RandomGenerator.seed(3)
        var data: [UInt8] = try Tensor(uninitialized: [rows * columns / elements * bytes], dtype: .float32)
            .uniform_(0, 256).to(.uint8).array()
        // The high byte of a binary16 number between 2⁻¹⁰ and 2⁻⁷, of either sign.
        for block in stride(from: 0, to: data.count, by: bytes) {
            for place in scales { data[block + place + 1] = data[block + place + 1] & 0x87 | 0x14 }
            if format == .MXFP4 { data[block] = 118 + data[block] % 4 }
        }
        return try FrozenMatrix(
            packed: [Tensor(data, shape: [rows, columns / elements * bytes])], format: format, columns: columns)
    }
}
