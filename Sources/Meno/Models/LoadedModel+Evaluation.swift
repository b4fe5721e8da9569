package import MenoData
internal import MenoModels
internal import MenoTensor
package import MenoTokenizers
internal import MenoTraining

/// The examples of an evaluation.
package struct EvaluationData {
    /// What was found in the records.
    package let report: DataReport
    /// That dialogues are written by; `nil` where there are none.
    package let template: ChatTemplate?
    /// The number of examples to choose from.
    package let available: Int
    package let chosen: [Example]
}

extension LoadedModel {
    /// Reads records and chooses the examples that are evaluated. Of many records only the chosen ones are ever in memory.
    package func evaluationData(
        of sources: RecordSources, _ options: EvaluationOptions, log: any SessionLog
    ) throws -> EvaluationData {
        let (builder, choice) = try exampleBuilder(options)
        var preparation = ExamplePreparation(decoder: RecordDecoder(format: .auto), builder: builder)
        preparation.system = options.system
        let prepared = try preparation.outline(of: sources)
        let isDialogue = prepared.findings.shared != nil
        if isDialogue, let warning = choice.warning { log.warn(warning) }
        let report = try prepared.report(builder, path: sources.place)
        return try chosen(prepared.examples, report, isDialogue ? choice.template : nil, options)
    }

    /// Chooses the examples that are evaluated of records that are in memory.
    func evaluationData(
        _ records: [Record], _ options: EvaluationOptions, log: any SessionLog
    ) throws -> EvaluationData {
        let (builder, choice) = try exampleBuilder(options)
        let isDialogue = records.contains { if case .dialogue = $0.content { true } else { false } }
        if isDialogue, let warning = choice.warning { log.warn(warning) }
        var report = DataReport()
        let examples = try builder.examples(from: records.map { $0.with(system: options.system) }, report: &report)
        return try chosen(examples, report, isDialogue ? choice.template : nil, options)
    }

    private func exampleBuilder(
        _ options: EvaluationOptions
    ) throws -> (builder: ExampleBuilder, choice: TokenizedModel.ChosenTemplate) {
        guard options.maxSamples > 0, options.maxLength > 1 else {
            throw TrainingError(
                .badArguments, "maxSamples is \(options.maxSamples) and maxLength \(options.maxLength).",
                advice: "Evaluate at least 1 example of at least 2 tokens.")
        }
        let choice = tokenized.choose(options.chatTemplate, warnsOfOther: !isTrained)
        var builder = ExampleBuilder(
            tokenizer: tokenizer, template: choice.template, maxLength: options.maxLength, lossTarget: options.lossOn,
            variables: options.templateVariables)
        builder.templateFault = choice.fault
        return (builder, choice)
    }

    private func chosen(
        _ examples: any ExampleSource, _ report: DataReport, _ template: ChatTemplate?, _ options: EvaluationOptions
    ) throws -> EvaluationData {
        let positions = BalancedSample.positions(of: examples, limit: options.maxSamples, seed: options.seed)
        return EvaluationData(
            report: report, template: template, available: examples.count, chosen: try examples.examples(at: positions))
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
