internal import MenoTensor

/// Chooses experts for each token and computes their weights.
final class Router {
    /// What a router decides for some tokens.
    struct Decision {
        /// The weights of the chosen experts, `[tokens, chosen]` in float32; differentiable.
        var weights: Tensor
        /// The chosen experts, `[tokens, chosen]`, int64.
        var experts: Tensor
    }

    /// transformers' name of the module.
    let name: String
    let linear: Linear
    /// Added to the scores only for the choice of experts, not for their weights, `[experts]`.
    let correction: Parameter?
    private let configuration: ExpertsConfiguration

    init(name: String, linear: Linear, correction: Parameter?, configuration: ExpertsConfiguration) {
        self.name = name
        self.linear = linear
        self.correction = correction
        self.configuration = configuration
    }

    /// - Parameter input: `[tokens, hidden]`.
    func callAsFunction(_ input: Tensor, context: AttentionContext) throws -> Decision {
        let logits = try linear(input, context: context).to(.float32)
        var decision = try decide(logits)
        if let loss = context.routerLoss {
            decision.weights = try loss.attached(
                to: decision.weights, logits: logits, layer: name, chosen: configuration.chosen)
        }
        if configuration.normalizesWeights {
            let sum = try decision.weights.sum(along: [-1], keepingDimensions: true)
            decision.weights = try decision.weights / (sum + 1e-20)
        }
        if configuration.weightScale != 1 { decision.weights = try decision.weights * configuration.weightScale }
        return decision
    }

    private func decide(_ logits: Tensor) throws -> Decision {
        switch configuration.scoring {
        case .softmax: return try choose(logits.softmax(along: -1))
        case .sigmoid: return try choose(logits.sigmoid())
        case .softmaxOfChosen:
            let best = try logits.topK(configuration.chosen)
            return Decision(weights: try best.values.softmax(along: -1), experts: best.indices)
        case .closest(let tolerance): return try closest(logits, tolerance: tolerance)
        }
    }

    /// The experts with the best scores `[tokens, experts]`.
    private func choose(_ scores: Tensor) throws -> Decision {
        guard correction != nil || configuration.groups != nil else {
            let best = try scores.topK(configuration.chosen)
            return Decision(weights: best.values, experts: best.indices)
        }
        let experts = try withoutGradient {
            var merits = try scores.detached()
            if let correction { merits = try merits + correction.value(.float32) }
            if let groups = configuration.groups, groups.chosen < groups.count {
                merits = try merits.masked(by: outside(groups, merits), with: -.infinity)
            }
            return try merits.topK(configuration.chosen).indices
        }
        return Decision(weights: try scores.gathered(along: -1, at: experts), experts: experts)
    }

    /// True for experts outside of the best groups, `[tokens, experts]`. A group is as good as the sum of its two best experts.
    private func outside(_ groups: ExpertsConfiguration.Groups, _ merits: Tensor) throws -> Tensor {
        let (tokens, size) = (merits.size(0), configuration.count / groups.count)
        let best = try merits.reshaped([tokens, groups.count, size]).topK(2).values.sum(along: [-1])
        let inside = try Tensor.zeros([tokens, groups.count], device: merits.device)
            .scatterAdd_(along: 1, at: best.topK(groups.chosen).indices, value: 1)
        return try inside.isLess(than: 0.5).unsqueezed(2).expanded([tokens, groups.count, size])
            .reshaped(merits.shape)
    }

    /// See ``ExpertsConfiguration/Scoring/closest(tolerance:)``.
    private func closest(_ logits: Tensor, tolerance: Double) throws -> Decision {
        var (weights, experts) = ([Tensor](), [Tensor]())
        var left = logits
        for _ in 0..<configuration.chosen {
            let best = try left.topK(1)
            let far = try withoutGradient {
                let distance = try best.values - logits
                return try (logits.abs().maximum(best.values) * tolerance).isLess(than: distance)
            }
            let near = try left.masked(by: far, with: -.infinity).softmax(along: -1)
            weights.append(try near.gathered(along: -1, at: best.indices))
            experts.append(best.indices)
            let taken = try withoutGradient {
                try Tensor.zeros(logits.shape, device: logits.device)
                    .scatterAdd_(along: 1, at: best.indices, value: 1)
            }
            left = try left.masked(by: taken.isLess(than: 0.5).logicalNot(), with: -.infinity)
        }
        return Decision(
            weights: try Tensor.concatenated(weights, along: -1), experts: try Tensor.concatenated(experts, along: -1))
    }

    var parameters: [Parameter] { linear.parameters + (correction.map { [$0] } ?? []) }
}
