internal import Foundation

extension Architecture {
    /// The dense Hunyuan (Tencent, 2025): a Llama that normalizes queries and keys after rotating them.
    static let hunyuan = Architecture(
        modelType: "hunyuan_v1_dense", className: "HunYuanDenseV1ForCausalLM", ggufNames: ["hunyuan-dense"],
        llamaCpp: [.wideHeads, .anyHead],
        names: WeightNames.llama.with([
            .queryNorm: ("self_attn.query_layernorm", "attn_q_norm"),
            .keyNorm: ("self_attn.key_layernorm", "attn_k_norm"),
        ]),
        defaults: Defaults(
            vocabularySize: 290_943, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32,
            normEpsilon: 1e-5)
    ) { model, keys in
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm, followsRotation: true)
        let parameters = try keys.json?.section("rope_scaling") ?? keys.json?.section("rope_parameters")
        let growth = try parameters?.double("alpha").flatMap { $0 > 0 ? $0 : nil }
        model.changeLayers { layer, _ in
            layer.attention.queryKeyNorm = norm
            guard let growth, case .dynamic? = layer.attention.rotary?.scaling else { return }
            // With a fixed α, the base does not depend on the length.
            let dimension = Double(layer.attention.headDimension)
            layer.attention.rotary?.base *= pow(growth, dimension / (dimension - 2))
            layer.attention.rotary?.scaling = .none
        }
    }
}
