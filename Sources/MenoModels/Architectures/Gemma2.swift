internal import MenoFormats

extension Architecture {
    /// Gemma 2 (Gemma Team, 2024, arXiv:2408.00118): soft-capped scores and logits, and a sliding window in every other layer.
    static let gemma2 = Architecture(
        modelType: "gemma2", className: "Gemma2ForCausalLM", ggufNames: ["gemma2"], llamaCpp: [.wideHeads, .tiedHead],
        ggufKeys: { try $0.ggufWindows(.fixed) },
        names: WeightNames.llama.withNormsOnBothSides,
        defaults: Defaults(
            vocabularySize: 256_000, hiddenSize: 2304, intermediateSize: 9216, layerCount: 26, headCount: 8,
            keyValueHeadCount: 4, headDimension: 256, maximumPositions: 8192, activation: .geluTanh,
            activationKey: "hidden_activation", tiesEmbeddings: true)
    ) { model, keys in
        try model.makeGemma(keys, layersOf27B: 46)
        let softcap = try keys.double("attn_logit_softcapping", gguf: "attn_logit_softcapping", default: 50)
        model.changeLayers { layer, _ in layer.attention.softcap = softcap }
        model.finalSoftcap = try keys.double("final_logit_softcapping", gguf: "final_logit_softcapping", default: 30)
        try keys.setWindows(&model, default: 4096) { $0 % 2 == 0 }
    }
}

extension DecoderConfiguration {
    /// What Gemma 2 and 3 have in common.
    /// - Parameter layersOf27B: the number of layers of the 27B model. It is the only one that scales scores by hidden / heads
    ///   instead of the head dimension, and its GGUF file does not say so.
    mutating func makeGemma(_ keys: ModelKeys, layersOf27B: Int) throws {
        embeddingScale = Double(max(hiddenSize, 0)).squareRoot()
        finalNorm.kind = .rootMeanSquare(offset: 1)
        let divisor = try keys.double("query_pre_attn_scalar", gguf: nil, default: 256) ?? 256
        let scale = keys.gguf == nil ? 1 / divisor.squareRoot() : ggufGemmaScale(layersOf27B: layersOf27B)
        changeLayers { layer, _ in
            layer.norm.kind = .rootMeanSquare(offset: 1)
            layer.normPlacement = .beforeAndAfter
            layer.attention.scale = scale
        }
    }

    /// What llama.cpp multiplies the scores of a Gemma 2 or 3 by.
    func ggufGemmaScale(layersOf27B: Int) -> Double {
        let isLargest = layerCount == layersOf27B
        return 1 / (isLargest ? Double(hiddenSize) / Double(headCount) : Double(headDimension)).squareRoot()
    }
}
