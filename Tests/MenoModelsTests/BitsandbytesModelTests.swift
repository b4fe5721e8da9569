import Foundation
@testable import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Models that bitsandbytes has quantised (`Tests/Reference/make_bitsandbytes_models.py`).
@Suite(.drawsRandomNumbers) struct BitsandbytesModelTests {
    static let names = ["nf4", "fp4", "int8"]

    private struct Values: Decodable { var sequences: [[Int32]] }

    private func folder(_ name: String) -> URL { Fixtures.url("bitsandbytes/\(name)") }

    /// Packed and dense, against the logits of the dequantised weights.
    @Test(arguments: names, [WeightForm.packed, .dense])
    func logitsAreThoseOfTheDequantisedWeights(_ name: String, _ form: WeightForm) throws {
        let files = try ModelFiles(folder(name))
        #expect(files.isQuantizedByBitsandbytes && files.hasPackedWeights(quantized: true))
        let model = try files.load(dtype: .float32, form: form)
        let format: FrozenMatrix.Format = ["nf4": .nestedFourBits, "fp4": .fourBits, "int8": .int8][name]!
        for (module, linear) in model.linears {
            let isPacked = form == .packed && !(name == "fp4" && module.hasSuffix("down_proj"))
            #expect(linear.weight.matrix?.format == (isPacked ? format : .dense), "\(module)")
        }
        #expect(model.denseLinears.count == (name == "fp4" && form == .packed ? 2 : 0))
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: folder(name).appending(path: "expected.json")))
        let expected = try SafetensorsFile(contentsOf: folder(name).appending(path: "expected.safetensors"))
        try withoutGradient {
            for (index, ids) in values.sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                #expect(try relativeError(logits.array(), expected.elements("logits.\(index)", as: Float.self)) < 1e-5)
            }
        }
    }

    /// Asking for what a file holds already is no error; asking for something else is.
    @Test func quantisingWhatIsQuantisedKeepsItOrIsRefused() throws {
        let files = try ModelFiles(folder("nf4"))
        let model = try files.load(dtype: .float32, quantization: WeightQuantization(.fourBits(.nf4, nested: true)))
        #expect(model.linears.allSatisfy { $0.linear.weight.matrix?.format == .nestedFourBits })
        let error = #expect(throws: ModelError.self) {
            try files.load(dtype: .float32, quantization: WeightQuantization(.eightBits))
        }
        #expect(error?.message.contains("already quantised") == true)
    }

    /// Blocks that the kernels do not know become numbers, with the same values.
    @Test func otherBlockSizesAreDequantised() throws {
        let matrix = QuantizedMatrix(
            kind: .fourBits(codebook: (0..<16).map { Float($0) - 7.5 }), shape: [2, 64], block: 32, nestedBlock: 0,
            scales: .plain([1, 2, 3, 4]))
        #expect(try FrozenMatrix.quantized(matrix) { _ in Issue.record("nothing is read") } == nil)
    }

    /// Merging reads them a few rows at a time.
    @Test(arguments: names) func storedModelsGiveTheirValues(_ name: String) throws {
        let stored = try StoredModel(folder(name))
        let parameter = try #require(stored.parameter(named: "model.layers.0.self_attn.k_proj.weight"))
        let expected = try SafetensorsFile(contentsOf: folder(name).appending(path: "expected.safetensors"))
            .elements("decoded.model.layers.0.self_attn.k_proj", as: Float.self)
        let rows = try stored.read(parameter, rows: 3..<7)
        #expect(rows == Array(expected[3 * parameter.columns..<7 * parameter.columns]))
    }

    /// Activations in another type than the dense weights have.
    @Test func activationsAreComputedInTheTypeThatIsAskedFor() throws {
        let files = try ModelFiles(folder("nf4"))
        let load = { (dtype: DType, compute: DType?) in
            try files.load(dtype: dtype, form: .packed, computeType: compute)
        }
        #expect(try load(.bfloat16, .float32).computeType == .float32)
        #expect(try load(.bfloat16, .bfloat16).computeType == .bfloat16)
        // Dense weights alone decide for themselves.
        #expect(try files.load(dtype: .float32, computeType: .bfloat16).computeType == .float32)
        let ids: [Int32] = [1, 5, 9, 33, 70]
        let logits = try withoutGradient {
            try [load(.bfloat16, .float32), load(.float32, nil)].map {
                try $0.logits(inputIDs: ids, layout: SequenceLayout(lengths: [5])).to(.float32).array(of: Float.self)
            }
        }
        // Embeddings, head and norms alone are rounded.
        #expect(relativeError(logits[0], logits[1]) < 1e-2 && logits[0] != logits[1])
    }

    @Test func unknownModulesAreNamed() throws {
        let model = try ModelFiles(Fixtures.url("models/llama-untied")).load(dtype: .float32)
        let quantization = WeightQuantization(.eightBits, skippedModules: ["down_proj", "lm_head", "q_porj"])
        #expect(quantization.unknownModules(of: model) == ["q_porj"])
    }
}
