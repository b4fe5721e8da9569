internal import MenoMetrics

/// What an objective measures lies beside the losses, as TRL's trainers write it.
extension TrainerState.LogEntry {
    private enum CodingKeys: CodingKey {
        case epoch, step, loss, gradNorm, learningRate, evalLoss, evalPerplexity, evalTokenAccuracy, evalCompletionLoss
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let number = { (key: CodingKeys) in try values.decodeIfPresent(Double.self, forKey: key) }
        self.init(
            epoch: try values.decode(Double.self, forKey: .epoch), step: try values.decode(Int.self, forKey: .step),
            loss: try number(.loss), gradNorm: try number(.gradNorm), learningRate: try number(.learningRate),
            evalLoss: try number(.evalLoss), evalPerplexity: try number(.evalPerplexity),
            evalTokenAccuracy: try number(.evalTokenAccuracy), evalCompletionLoss: try number(.evalCompletionLoss))
        objective = try ObjectiveMetrics(from: decoder, prefix: evalLoss == nil ? "" : "eval_")
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(epoch, forKey: .epoch)
        try values.encode(step, forKey: .step)
        let numbers: [(CodingKeys, Double?)] = [
            (.loss, loss), (.gradNorm, gradNorm), (.learningRate, learningRate), (.evalLoss, evalLoss),
            (.evalPerplexity, evalPerplexity), (.evalTokenAccuracy, evalTokenAccuracy),
            (.evalCompletionLoss, evalCompletionLoss),
        ]
        for (key, number) in numbers { try values.encodeIfPresent(number, forKey: key) }
        try objective?.encode(to: encoder, prefix: evalLoss == nil ? "" : "eval_")
    }
}
