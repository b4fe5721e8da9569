import Benchmark
import MenoTensor

/// The kernels of a training step in the shapes of Gemma 3 270M and passes of 512 tokens, beside what libtorch offers.
let benchmarks: @Sendable () -> Void = {
    do {
        try RandomGenerator.seed(1)
        try registerProducts()
        try registerLayers()
        try registerAttention()
        try registerLoss()
    } catch {
        fatalError("\(error)")
    }
}

private let (tokens, hidden, intermediate) = (512, 640, 2048)

private func registerProducts() throws {
    let weight = try Tensor.randomNormal([intermediate, hidden])
    let half = try weight.to(.bfloat16)
    let input = try Tensor.randomNormal([tokens, hidden])
    compare("frozen-product") {
        _ = try input.frozenLinear(FrozenMatrix(weight))
    } libtorch: {
        _ = try input.linear(weight)
    }
    // Beside it the weights as a float32 run has them: where this processor takes no such product, they are converted.
    compare("frozen-product-bfloat16-weights") {
        _ = try input.frozenLinear(FrozenMatrix(half))
    } libtorch: {
        _ = try input.linear(weight)
    }

    let leaf = try Tensor.randomNormal([tokens, hidden]).requiringGradient()
    let down = try Tensor.randomNormal([8, hidden]).requiringGradient()
    let up = try Tensor.randomNormal([1024, 8]).requiringGradient()
    let query = try Tensor.randomNormal([1024, hidden])
    let leaves = [leaf, down, up]
    let keys = try RowKeys(key: 1, numbers: Array(0..<Int64(tokens)), device: .cpu)
    guard leaf.hasAdaptedLinear(FrozenMatrix(query)) else { return }
    compare("adapted-layer-with-dropout") {
        try backward(
            leaf.adaptedLinear(
                FrozenMatrix(query), down: down, up: up, scaling: 2, dropout: (0.1, keys)), leaves)
    } libtorch: {
        let dropped = try Operator("aten::dropout")(.tensor(leaf), .double(0.1), .bool(true))[0]!
        try backward(leaf.linear(query) + dropped.linear(down).linear(up) * 2, leaves)
    }
}

private func registerLayers() throws {
    let x = try Tensor.randomNormal([tokens, hidden]).requiringGradient()
    let gain = try Tensor.randomNormal([hidden])
    compare("rms-norm") {
        try backward(x.rmsNorm(weight: gain, offset: 1, epsilon: 1e-6), [x])
    } libtorch: {
        let scale = try (x.squared().mean(along: [-1], keepingDimensions: true) + 1e-6).rsqrt()
        try backward(x * scale * (gain + 1), [x])
    }

    let heads = try Tensor.randomNormal([tokens, 4, 256]).requiringGradient()
    let angles = try Tensor.randomNormal([tokens, 1, 256])
    let (cos, sin) = try (angles.cos(), angles.sin())
    compare("rotary-embedding") {
        try backward(heads.rotated(cos: cos, sin: sin), [heads])
    } libtorch: {
        let (first, second) = try (
            heads.narrowed(-1, start: 0, count: 128), heads.narrowed(-1, start: 128, count: 128)
        )
        try backward(heads * cos + Tensor.concatenated([-second, first], along: -1) * sin, [heads])
    }

    let gate = try Tensor.randomNormal([tokens, intermediate]).requiringGradient()
    let raised = try Tensor.randomNormal([tokens, intermediate]).requiringGradient()
    compare("gated-gelu") {
        try backward(gate.gating(raised, .geluTanh), [gate, raised])
    } libtorch: {
        try backward(gate.geluTanh() * raised, [gate, raised])
    }
}

/// Four sequences of one length, the case that libtorch takes in one call.
private func registerAttention() throws {
    let (sequences, length, heads, size) = (4, tokens / 4, 4, 256)
    let query = try Tensor.randomNormal([tokens, heads, size]).requiringGradient()
    let key = try Tensor.randomNormal([tokens, 1, size]).requiringGradient()
    let value = try Tensor.randomNormal([tokens, 1, size]).requiringGradient()
    guard query.hasPackedAttention(softcap: nil) else { return }
    let boundaries = try SequenceBoundaries(lengths: Array(repeating: length, count: sequences), device: .cpu)
    let scale = 1 / Double(size).squareRoot()
    compare("packed-attention") {
        let output = try Tensor.packedAttention(
            query: query, key: key, value: value, boundaries: boundaries, window: nil, scale: scale)
        try backward(output, [query, key, value])
    } libtorch: {
        let split = { (x: Tensor) in
            try x.reshaped([sequences, length, -1, size]).transposed(1, 2).expanded([sequences, heads, length, size])
        }
        let output = try Tensor.attention(
            query: split(query), key: split(key), value: split(value), isCausal: true, scale: scale)
        try backward(output, [query, key, value])
    }
}

private func registerLoss() throws {
    // An eighth of Gemma's vocabulary, of which, as with a trained model, most words have next to no probability.
    let table = try Tensor.randomNormal([32768, hidden]) * 0.2
    let targets = (0..<256).map { Int64($0 * 97) }
    let index = try Tensor(targets)
    let states = try table.indexed(by: index, along: 0) * 2 + Tensor.randomNormal([256, hidden])
    let leaf = try states.detached().requiringGradient()
    let matrix = FrozenMatrix(table)
    let centroids = try matrix.vocabularyCentroids()
    let libtorch = {
        let logits = try leaf.linear(table)
        let chosen = try logits.gathered(along: 1, at: index.unsqueezed(1)).squeezed(1)
        try backward(logits.logSumExp(along: -1) - chosen, [leaf])
    }
    if states.hasVocabularyLoss(matrix, threshold: 0, gradient: true) {
        compare("vocabulary-loss") {
            _ = try states.vocabularyLoss(
                matrix, targets: targets, softcap: 0, threshold: 0, centroids: nil, gradient: true)
        } libtorch: {
            try libtorch()
        }
    }
    compare("vocabulary-loss-gradient-above-1e-6") {
        _ = try states.vocabularyLoss(
            matrix, targets: targets, softcap: 0, threshold: 1e-6, centroids: centroids, gradient: true)
    } libtorch: {
        try libtorch()
    }
}
