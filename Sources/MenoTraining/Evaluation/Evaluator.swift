package import MenoData
package import MenoModels
package import MenoTensor

/// Computes losses without gradients and without keeping logits: memory does not grow with the number of examples.
package struct Evaluator {
    /// Tokens of a pass beyond which nothing is gained in speed.
    package static func preferredTokens(of model: Decoder) -> Int { max(2048, MemoryPlan.preferredTokens(of: model)) }

    private let model: Decoder
    private let tokensPerPass: Int
    private let objective: any Objective
    /// Those that evaluate together: each computes some of the passes, and all get all rows.
    private let processes: ProcessGroup

    /// Evaluates supervised fine-tuning: the negative log-likelihood of all labels.
    /// - Parameter tokensPerPass: `nil`: ``preferredTokens(of:)``.
    package init(_ model: Decoder, tokensPerPass: Int? = nil) {
        self.init(model, objective: SupervisedObjective(), tokensPerPass: tokensPerPass)
    }

    /// - Parameters:
    ///   - tokensPerPass: the same in all processes.
    package init(
        _ model: Decoder, objective: any Objective, tokensPerPass: Int? = nil,
        processes: ProcessGroup = ProcessGroup()
    ) {
        self.processes = processes
        self.model = model
        self.objective = objective
        self.tokensPerPass = tokensPerPass ?? Self.preferredTokens(of: model)
    }

    /// Where memory does not suffice for a pass, what is left is divided into smaller ones.
    /// - Parameters:
    ///   - onProgress: called with the number of examples done; returning `false` ends the evaluation with
    ///     ``TrainingError/Code/interrupted``.
    ///   - onShortage: told that this happened, with the most tokens of a pass from then on.
    /// - Throws: ``TrainingError``, with `outOfMemory` where not even one example fits, or `TorchError`.
    package func evaluate(
        _ examples: [Example], onProgress: (Int) -> Bool = { _ in true },
        onShortage: (_ tokensPerPass: Int, _ message: String) -> Void = { _, _ in }
    ) throws -> Evaluation {
        let clock = ContinuousClock()
        let start = clock.now
        var rows = Array(repeating: Evaluation.Row(), count: examples.count)
        var done = 0
        let arrangements = objective.arrangements
        try Agreement(processes).together {
            for arrangement in arrangements {
                try evaluate(
                    examples, as: arrangement, &rows,
                    onProgress: { new in
                        if arrangement == arrangements.last { done += new }
                        return onProgress(done)
                    }, onShortage: onShortage)
            }
        }
        if processes.size > 1 { rows = try exchanged(rows) }
        var evaluation = Evaluation(rows: rows, seconds: (clock.now - start) / .seconds(1))
        evaluation.summary = objective.summary(rows)
        return evaluation
    }

    /// - Parameter onProgress: called with how many more examples are done.
    private func evaluate(
        _ examples: [Example], as arrangement: PassArrangement, _ rows: inout [Evaluation.Row],
        onProgress: (Int) -> Bool, onShortage: (_ tokensPerPass: Int, _ message: String) -> Void
    ) throws {
        let sharing = model.sharesBeginnings(training: false)
        let divided = { (positions: [Int], tokens: Int) in
            PassPlan(examples, at: positions, as: arrangement, tokens: tokens, sharing: sharing).parts[...]
        }
        var parts = own(divided(Array(examples.indices), tokensPerPass))
        try withoutGradient {
            while let part = parts.first {
                do {
                    for (index, row) in try zip(part.examples, objective.evaluate(part, of: examples, by: model)) {
                        rows[index].add(row)
                    }
                } catch let error as TorchError where error.code == .outOfMemory {
                    let tokens = try tokensPerPass(after: part, error, onShortage)
                    parts = divided(parts.flatMap(\.examples), tokens)
                    continue
                }
                parts.removeFirst()
                guard onProgress(part.examples.count) else {
                    throw TrainingError(.interrupted, "the evaluation was interrupted.")
                }
            }
        }
    }

    /// Those of the passes that this process computes.
    private func own(_ parts: ArraySlice<PassPlan.Part>) -> ArraySlice<PassPlan.Part> {
        guard processes.size > 1 else { return parts }
        let shares = WorkShares(costs: parts.map(\.pass.inputIDs.count), processes: processes.size)
        return shares.pieces[processes.rank].map { parts[parts.startIndex + $0] }[...]
    }

    /// The rows of all examples, each by the process that computed it.
    private func exchanged(_ rows: [Evaluation.Row]) throws -> [Evaluation.Row] {
        let parts = try processes.gather(Tensor(rows.flatMap(\.numbers))).map { try $0.array(of: Double.self) }
        return rows.indices.map { index in
            let range = index * Evaluation.Row.numberCount..<(index + 1) * Evaluation.Row.numberCount
            var row = Evaluation.Row()
            for part in parts { row.add(Evaluation.Row(numbers: Array(part[range]))) }
            return row
        }
    }

    /// Half the tokens of a pass that did not fit.
    private func tokensPerPass(
        after part: PassPlan.Part, _ error: TorchError, _ onShortage: (Int, String) -> Void
    ) throws -> Int {
        model.device.releaseMemory()
        let tokens = part.pass.inputIDs.count
        guard part.examples.count > 1 else {
            throw TrainingError(
                .outOfMemory, "there is not enough memory for an example of \(tokens) tokens (\(error.message)).",
                advice: "Shorten it with a smaller max_length, or compute in bfloat16.")
        }
        let fewer = max(1, tokens / 2)
        onShortage(
            fewer,
            "out of memory in a pass of \(tokens) tokens: the evaluation continues in passes of up to \(fewer). "
                + "(\(error.message))")
        return fewer
    }
}
