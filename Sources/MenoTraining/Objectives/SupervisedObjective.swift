package import MenoData
package import MenoModels

/// Supervised fine-tuning: the mean negative log-likelihood of all labels.
package struct SupervisedObjective: Objective {
    /// The share of each target's probability that is spread evenly over the vocabulary while training (Szegedy et al., 2016,
    /// arXiv:1512.00567, section 7).
    package var labelSmoothing: Double

    package init(labelSmoothing: Double = 0) { self.labelSmoothing = labelSmoothing }

    package func weight(of pass: Pass) -> Int { pass.labelCount }

    package func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss {
        let losses = try model.loss(
            inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout, labelSmoothing: labelSmoothing
        ).losses
        return PassLoss(
            sum: losses.values.isEmpty ? nil : losses.sum, value: losses.values.reduce(0.0) { $0 + Double($1) })
    }

    package func evaluate(
        _ part: PassPlan.Part, of examples: [Example], by model: Decoder
    ) throws -> [Evaluation.Row] {
        let pass = part.pass
        let (losses, predictions) = try model.loss(inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout)
        var rows = Array(repeating: Evaluation.Row(), count: part.examples.count)
        for (place, prediction) in predictions.enumerated() {
            let row = prediction.sequence
            let cost = Double(losses.values[place])
            rows[row].tokens += 1
            rows[row].negativeLogLikelihood += cost
            if losses.isCorrect[place] { rows[row].correct += 1 }
            if examples[part.examples[row]].isCompletion[prediction.position] {
                rows[row].completionTokens += 1
                rows[row].completionNegativeLogLikelihood += cost
            }
        }
        return rows
    }
}
