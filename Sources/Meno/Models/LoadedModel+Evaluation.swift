package import MenoData
internal import MenoModels
internal import MenoTensor
package import MenoTokenizers
internal import MenoTraining

/// The examples of an evaluation.
package struct EvaluationData {
    /// The template that dialogues are rendered with; `nil` if there are no dialogues.
    package let template: ChatTemplate?
    /// The number of examples to choose from.
    package let available: Int
    package let chosen: [Example]
}

extension LoadedModel {
    /// Builds examples from records and chooses those to evaluate.
    package func evaluationData(
        _ records: [Record], report: inout DataReport, _ options: EvaluationOptions
    ) throws -> EvaluationData {
        guard options.maxSamples > 0, options.maxLength > 1 else {
            throw TrainingError(
                .badArguments, "maxSamples is \(options.maxSamples) and maxLength \(options.maxLength).",
                advice: "Evaluate at least 1 example of at least 2 tokens.")
        }
        let records = records.map { $0.with(system: options.system) }
        let template = try template(options.chatTemplate, for: records)
        let all = try ExampleBuilder(
            tokenizer: tokenizer, template: template, maxLength: options.maxLength, lossTarget: options.lossOn,
            variables: options.templateVariables
        ).examples(from: records, report: &report)
        let chosen = BalancedSample.positions(of: all, limit: options.maxSamples, seed: options.seed).map { all[$0] }
        return EvaluationData(template: template, available: all.count, chosen: chosen)
    }

    /// - Parameter isCancelled: called after every forward pass.
    /// - Throws: ``TrainingError`` with `interrupted` if cancelled or `badArguments` if this device
    ///   cannot compute losses in the model's type; and what
    ///   ``Evaluator/evaluate(_:onProgress:onShortage:)`` throws.
    package func evaluate(
        _ examples: [Example], log: any SessionLog, isCancelled: () -> Bool
    ) throws -> Evaluation {
        guard decoder.precision != "float16" || decoder.device != .cpu else {
            throw TrainingError(
                .badArguments, "a model in float16 cannot be evaluated on a CPU.", advice: "Use bfloat16 or float32.")
        }
        return try Evaluator(decoder).evaluate(examples) { _ in
            !isCancelled()
        } onShortage: {
            log.warn($1)
        }
    }
}
