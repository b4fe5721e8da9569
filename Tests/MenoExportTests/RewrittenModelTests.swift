import Foundation
import MenoExport
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

private let smolLM2 = Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf")

/// SmolLM2's weights under the names, and in the layouts, of other families that compute the same.
@Suite(.enabled(if: smolLM2 != nil, "SmolLM2 is not in the cache"))
struct RewrittenModelTests {
    /// A tensor of the rewritten model: rows of tensors of the original, one below the other, or zeros.
    private struct Rewritten {
        var name: String
        var sources: [String]
        var shape: [Int]
    }

    private let folder: TemporaryFolder
    private let original: SafetensorsFile
    private let configuration: [String: Any]
    private let ids: [Int32] = [1, 4093, 198, 1780, 314, 15_263, 47, 2, 198, 1, 520, 9531, 198]
    private var layers: Range<Int> { 0..<(configuration["num_hidden_layers"] as? Int ?? 0) }

    init() throws {
        folder = try TemporaryFolder()
        let stage = try ExportStage(for: folder.url.appending(path: "llama"))
        let stored = try StoredModel(#require(smolLM2))
        _ = try HuggingFaceExport(MergedModel(stored, nil), elementType: .bfloat16).write(to: stage)
        try stage.finish(file: nil)
        let written = folder.url.appending(path: "llama")
        original = try SafetensorsFile(contentsOf: written.appending(path: "model.safetensors"))
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: written.appending(path: "config.json")))
        configuration = try #require(json as? [String: Any])
    }

    /// All tensors of the original, but for those that end in one of these names.
    private func kept(without names: [String] = []) -> [Rewritten] {
        original.tensors.filter { tensor in !names.contains { tensor.name.hasSuffix("\($0).weight") } }
            .map { Rewritten(name: $0.name, sources: [$0.name], shape: $0.shape) }
    }

    private func rows(_ name: String) throws -> Int { try #require(original.tensor(named: name)).shape[0] }

    /// A tensor of several of a layer, one below the other.
    private func fused(_ layer: Int, _ block: String, _ name: String, of names: [String]) throws -> Rewritten {
        let sources = names.map { "model.layers.\(layer).\(block).\($0).weight" }
        let columns = try #require(original.tensor(named: sources[0])).shape[1]
        return Rewritten(
            name: "model.layers.\(layer).\(block).\(name).weight", sources: sources,
            shape: [try sources.reduce(0) { $0 + (try rows($1)) }, columns])
    }

    private func logits(_ name: String, _ keys: [String: Any], _ tensors: [Rewritten]) throws -> [Float] {
        let place = folder.url.appending(path: name)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let object = configuration.merging(keys) { $1 }
        try JSONSerialization.data(withJSONObject: object).write(to: place.appending(path: "config.json"))
        let writer = try SafetensorsWriter(
            to: place.appending(path: "model.safetensors"), tensors: tensors.map { .init($0.name, .bfloat16, $0.shape) }
        )
        for tensor in tensors {
            var bytes = Data()
            for source in tensor.sources {
                try original.withUnsafeBytes(of: source) { bytes.append(contentsOf: $0) }
            }
            if tensor.sources.isEmpty { bytes = Data(count: 2 * tensor.shape.reduce(1, *)) }
            try bytes.withUnsafeBytes { try writer.write(tensor.name, $0) }
        }
        try writer.finish()
        return try logits(place)
    }

    private func logits(_ place: URL) throws -> [Float] {
        let model = try ModelFiles(place).load(dtype: .float32)
        return try withoutGradient {
            try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count])).array()
        }
    }

    @Test func answersAsTheSameModelUnderOtherNames() throws {
        let expected = try logits(folder.url.appending(path: "llama"))
        #expect(expected.contains { $0 > 5 })
        let mistral = try logits(
            "mistral",
            ["model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": NSNull()], kept())
        #expect(mistral == expected)
        let biases = try layers.flatMap { layer in
            try ["q_proj", "k_proj", "v_proj"].map { name in
                let module = "model.layers.\(layer).self_attn.\(name)"
                return Rewritten(name: "\(module).bias", sources: [], shape: [try rows("\(module).weight")])
            }
        }
        let qwen2 = try logits(
            "qwen2",
            ["model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": false],
            kept() + biases)
        #expect(qwen2 == expected)
        let (inputs, gates) = (["q_proj", "k_proj", "v_proj"], ["gate_proj", "up_proj"])
        let stacks = try layers.flatMap { layer in
            [
                try fused(layer, "self_attn", "qkv_proj", of: inputs),
                try fused(layer, "mlp", "gate_up_proj", of: gates),
            ]
        }
        let phi3 = try logits(
            "phi3",
            [
                "model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "sliding_window": NSNull(),
                "pad_token_id": 0,
            ],
            kept(without: inputs + gates) + stacks)
        // One product of all rows may round otherwise than three.
        #expect(relativeError(phi3, expected) < 1e-5)
    }
}
