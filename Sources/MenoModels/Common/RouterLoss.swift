internal import MenoTensor

/// The loss that keeps the experts of a model equally busy, as transformers adds it in training where `output_router_logits`
/// is set (Fedus et al., 2021, arXiv:2101.03961, equations 4 to 6): coefficient · n · Σ f · P over the n experts, where f is the
/// share of tokens that chose an expert and P its mean probability, both over all layers and all tokens of a micro-batch.
///
/// It is not part of the loss that the pass returns. Its gradient is added to that of the routers' decisions in the backward pass
/// and, as in transformers, is not divided by the number of labels.
final class RouterLoss {
    /// The decisions of one layer's router.
    private struct Record {
        /// The number of tokens that chose each expert, and the sum of its probabilities, for each micro-batch:
        /// `[batches][experts]`.
        var counts, probabilities: [[Float]]
    }

    private let coefficient: Double
    /// Tokens of each micro-batch in the pass.
    private let sizes: [Float]
    /// The share of each micro-batch in this pass, since a micro-batch may be split over several passes.
    private let parts: [Float]
    /// Which micro-batch each token belongs to, `[tokens, batches]` of zeros and ones.
    private let membership: Tensor
    private let batchOfToken: [Int]
    private var records: [String: Record] = [:]

    /// - Parameters:
    ///   - microBatchSize: the number of consecutive examples of a step in a micro-batch.
    ///   - examples: of each micro-batch of the step.
    init(
        coefficient: Double, layout: SequenceLayout, microBatchSize: Int, examples: [Int: Int], device: Device
    ) throws {
        self.coefficient = coefficient
        let batches = layout.numbers.map { $0 / microBatchSize }
        let distinct = Set(batches).sorted()
        parts = distinct.map { batch in
            let here = batches.filter { $0 == batch }.count
            return Float(here) / Float(max(here, examples[batch] ?? here))
        }
        batchOfToken = zip(layout.lengths, batches).flatMap { length, batch in
            Array(repeating: distinct.firstIndex(of: batch)!, count: length)
        }
        var values = [Float](repeating: 0, count: batchOfToken.count * distinct.count)
        var sizes = [Float](repeating: 0, count: distinct.count)
        for (token, batch) in batchOfToken.enumerated() {
            values[token * distinct.count + batch] = 1
            sizes[batch] += 1
        }
        self.sizes = sizes
        membership = try Tensor(values, shape: [batchOfToken.count, distinct.count], device: device)
    }

    /// Records a router's logits `[tokens, experts]`.
    /// - Parameters:
    ///   - weights: the router's decision, through which the gradient flows back.
    ///   - layer: its name. A layer that is recomputed in the backward pass is recorded once.
    /// - Returns: the weights, as outputs of a node that adds the gradient of this loss.
    func attached(to weights: Tensor, logits: Tensor, layer: String, chosen: Int) throws -> Tensor {
        let probabilities = try logits.softmax(along: -1)
        if records[layer] == nil { records[layer] = try record(probabilities.detached(), chosen: chosen) }
        guard isGradientEnabled, probabilities.requiresGradient else { return weights }
        return try Tensor.customNode(inputs: [weights, probabilities], outputs: [weights.detached()]) { gradients in
            [gradients[0], try self.gradient()]
        }[0]
    }

    private func record(_ probabilities: Tensor, chosen: Int) throws -> Record {
        try withoutGradient {
            let experts = probabilities.size(1)
            let best: [Int64] = try probabilities.topK(chosen).indices.to(.cpu).array()
            var counts = sizes.map { _ in [Float](repeating: 0, count: experts) }
            for (place, expert) in best.enumerated() { counts[batchOfToken[place / chosen]][Int(expert)] += 1 }
            let sums: [Float] = try membership.transposed().matmul(probabilities).to(.cpu).array()
            let rows = sizes.indices.map { Array(sums[$0 * experts..<($0 + 1) * experts]) }
            return Record(counts: counts, probabilities: rows)
        }
    }

    /// Over all layers, for one micro-batch: the share of tokens that chose each expert, and its mean probability.
    private func means(_ batch: Int) -> (shares: [Float], probabilities: [Float]) {
        let rows = sizes[batch] * Float(records.count)
        let sum = { (values: KeyPath<Record, [[Float]]>) in
            self.records.sorted { $0.key < $1.key }.map { $0.value[keyPath: values][batch] }.reduce(into: [Float]()) {
                sum, row in
                sum = sum.isEmpty ? row : zip(sum, row).map { $0 + $1 }
            }.map { $0 / rows }
        }
        return (sum(\.counts), sum(\.probabilities))
    }

    /// The loss of all micro-batches; complete after the pass.
    var value: Double {
        guard !records.isEmpty else { return 0 }
        return sizes.indices.reduce(0.0) { total, batch in
            let (shares, probabilities) = means(batch)
            let products = zip(shares, probabilities).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            return total + coefficient * Double(parts[batch]) * Double(shares.count) * products
        }
    }

    /// The gradient with respect to a layer's probabilities, `[tokens, experts]`.
    private func gradient() throws -> Tensor {
        let rows = sizes.indices.map { batch in
            let shares = means(batch).shares
            let factor = Float(coefficient) * parts[batch] * Float(shares.count) / (sizes[batch] * Float(records.count))
            return shares.map { $0 * factor }
        }
        let table = try Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count], device: membership.device)
        return try membership.matmul(table)
    }
}
