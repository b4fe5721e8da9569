internal import MenoTokenizers

/// What is good to know of all examples together.
extension ExampleBuilder {
    /// Adds what was counted while the examples were built, and how many are equal.
    func addRemarks(on examples: any ExampleSource, to report: inout DataReport) {
        if report.unended > 0 {
            let which = report.unended == report.answered ? "" : " in \(report.unended) of \(report.answered) dialogues"
            report.remarks.append(
                "the chat template writes no token at which generation stops after the last answer\(which): such dialogues do "
                    + "not teach the model to stop. Let the template write {{ eos_token }} after each answer.")
        }
        let lost = report.count(of: .lostAnswer, isUsed: true)
        if lost > 0 {
            report.remarks.append(
                "\(lost) \(lost == 1 ? "example is" : "examples are") cut before the first answer begins, and "
                    + "\(lost == 1 ? "trains" : "train") the model on the question alone. Raise `max_length`, or leave "
                    + "\(lost == 1 ? "it" : "them") out with `too_long: skip_without_answer`.")
        }
        report.repeated = examples.repeatedCount
    }

    /// Tokens at which generation stops.
    var stopTokens: [TokenID] {
        tokenizer.endOfTurnIDs + [template?.endOfTurn.flatMap(tokenizer.id), tokenizer.eosID].compactMap { $0 }
    }

    /// Counts a dialogue that ends in an answer, and whether a token ends it at which generation stops. Only a whole one can
    /// tell: one that is cut never ends.
    /// - Parameter completions: `nil` where it is not known what the assistant writes.
    func countEnding(
        of encoding: Encoding, after completions: [Range<Int>]?, messages: [ChatMessage], in report: inout DataReport
    ) {
        guard messages.last?.role == .assistant else { return }
        let stops = stopTokens
        // A first token may be BOS and end generation at the same time.
        let start = completions?.last?.lowerBound ?? 0
        let isEnded = zip(encoding.ids, encoding.byteRanges).dropFirst().contains { id, range in
            range.lowerBound >= start && stops.contains(id)
        }
        report.answered += 1
        if !isEnded { report.unended += 1 }
    }

    /// Whether a cut example has nothing left of any answer. A text has no question that could be left alone.
    func losesAnswer(_ isCompletion: [Bool], _ completions: [Range<Int>], of record: Record) -> Bool {
        if case .text = record.content { return false }
        return !completions.isEmpty && !isCompletion.contains(true)
    }

    func lostAnswer(of length: Int, _ record: Record) -> DataReport.Problem {
        DataReport.Problem(
            place: record.place, kind: .lostAnswer,
            reason: "has \(length) tokens; its answer begins beyond the \(maxLength) that are allowed.",
            isUsed: lossTarget == .all && lengthPolicy == .truncate)
    }
}
