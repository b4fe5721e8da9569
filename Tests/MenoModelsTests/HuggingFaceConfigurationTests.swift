import Foundation
import MenoTesting
import Testing

@testable import MenoModels

/// What transformers makes of a `config.json`, key by key.
@Suite struct HuggingFaceConfigurationTests {
    /// A fixture's configuration with other values; `nil` takes a key out.
    private func read(_ name: String, _ changes: [String: Any?]) throws -> DecoderConfiguration {
        let folder = try TemporaryFolder()
        let original = Fixtures.url("models/\(name)/config.json")
        var object = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: original)) as? [String: Any])
        for (key, value) in changes { object[key] = value }
        let file = folder.url.appending(path: "config.json")
        try JSONSerialization.data(withJSONObject: object).write(to: file)
        return try .read(huggingFace: file)
    }

    private func refusal(_ name: String, _ changes: [String: Any?]) -> String {
        let error = #expect(throws: ModelError.self) { try read(name, changes) }
        return error?.description ?? ""
    }

    @Test(arguments: ["gemma2-tiny", "gemma3-tiny"]) func whatGemmaLeavesOutIsTransformersDefault(_ name: String) throws
    {
        let names = [
            "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "num_hidden_layers",
            "vocab_size", "head_dim", "layer_types",
        ]
        let sizes = try read(name, Dictionary(uniqueKeysWithValues: names.map { ($0, Any?.none) }))
        #expect(sizes.hiddenSize == 2304 && sizes.intermediateSize == 9216 && sizes.layerCount == 26)
        #expect(sizes.headCount == 8 && sizes.keyValueHeadCount == 4 && sizes.headDimension == 256)
        #expect(sizes.vocabularySize == (name == "gemma2-tiny" ? 256_000 : 262_208))
    }

    @Test(arguments: ["gptq", "awq", "fp8"])
    func quantisedCheckpointsAreRefusedByName(_ method: String) {
        let text = refusal("llama-tiny", ["quantization_config": ["quant_method": method]])
        #expect(text.contains("quantised by \(method)"))
    }

    @Test func gemma2CapsUnlessItIsToldNotTo() throws {
        let keys = ["attn_logit_softcapping", "final_logit_softcapping"]
        let absent = try read("gemma2-tiny", [keys[0]: nil, keys[1]: nil])
        #expect(absent.attentionSoftcap == 50 && absent.finalSoftcap == 30)
        let null = try read("gemma2-tiny", [keys[0]: NSNull(), keys[1]: NSNull()])
        #expect(null.attentionSoftcap == nil && null.finalSoftcap == nil)
        #expect(try read("gemma2-tiny", [:]).attentionSoftcap == 3)
        // transformers' Gemma 3 caps logits only.
        let third = try read("gemma3-tiny", [keys[0]: 3, keys[1]: 5])
        #expect(third.attentionSoftcap == nil && third.finalSoftcap == 5)
    }

    @Test func attentionToWhatFollowsIsRefused() throws {
        let change = ["use_bidirectional_attention": true]
        #expect(refusal("gemma3-tiny", change).contains("use_bidirectional_attention"))
        // transformers' Gemma 2 has the key, and attends to what precedes all the same.
        _ = try read("gemma2-tiny", change)
    }

    @Test func ropeScalingIsStrongerThanRopeParameters() throws {
        let linear: [String: Any] = ["rope_type": "linear", "factor": 3.0]
        let parameters: [String: Any] = ["rope_type": "default", "rope_theta": 500.0]
        func rope(_ changes: [String: Any?]) throws -> RotaryConfiguration? {
            try read("llama-untied", changes).layers.first?.attention.rotary
        }
        #expect(
            try rope(["rope_parameters": parameters, "rope_scaling": linear])
                == RotaryConfiguration(base: 10_000, scaling: .linear(factor: 3)))
        #expect(
            try rope(["rope_parameters": parameters, "rope_scaling": linear, "rope_theta": 700.0])
                == RotaryConfiguration(base: 700, scaling: .linear(factor: 3)))
        for nothing in [NSNull() as Any, [String: Any]()] {
            #expect(
                try rope(["rope_parameters": parameters, "rope_scaling": nothing]) == RotaryConfiguration(base: 500))
        }
        // Gemma 3 updates what its global layers have.
        let gemma = try read("gemma3-tiny", ["rope_scaling": linear])
        #expect(gemma.layers[2].attention.rotary == RotaryConfiguration(base: 1_000_000, scaling: .linear(factor: 3)))
        #expect(gemma.layers[0].attention.rotary == RotaryConfiguration(base: 10_000))
    }

    @Test func llama3ScalingFindsItsOriginalLengthWhereTransformersDoes() throws {
        func original(inside: Int?, beside: Int?) throws -> Int? {
            var parameters: [String: Any] = [
                "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
            ]
            parameters["original_max_position_embeddings"] = inside
            let configuration = try read(
                "llama-tiny", ["rope_parameters": parameters, "original_max_position_embeddings": beside])
            guard case .llama3(_, _, _, let length) = configuration.layers[0].attention.rotary?.scaling else {
                return nil
            }
            return length
        }
        #expect(try original(inside: 32, beside: nil) == 32)
        #expect(try original(inside: nil, beside: 64) == 64)
        #expect(try original(inside: 32, beside: 64) == 64)
        #expect(try original(inside: nil, beside: nil) == 128)
    }

    @Test func gemma3PassesOverWhatTransformersPassesOver() throws {
        func windows(_ changes: [String: Any?]) throws -> [Bool] {
            try read("gemma3-tiny", changes.merging(["layer_types": nil]) { $1 }).layers.map {
                $0.attention.slidingWindow != nil
            }
        }
        #expect(try windows(["_sliding_window_pattern": 2]) == [true, true, true, true])
        #expect(try windows(["sliding_window_pattern": 2]) == [true, false, true, false])
        let flat = try read("gemma3-tiny", ["rope_parameters": ["rope_type": "default", "rope_theta": 77.0]])
        #expect(flat.layers.map(\.attention.rotary?.base) == [1e4, 1e4, 1e6, 1e4])
    }

    @Test func dropoutOfAttentionIsKnown() throws {
        #expect(try read("llama-tiny", ["attention_dropout": 0.25]).attentionDropout == 0.25)
        #expect(try read("llama-tiny", ["attention_dropout": nil]).attentionDropout == 0)
    }
}
