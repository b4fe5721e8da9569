public import MenoTokenizers

/// Turns records into examples.
public struct ExampleBuilder: Sendable {
    /// Which tokens carry loss.
    public enum LossTarget: String, Sendable, Hashable, CaseIterable {
        /// Every token but the first.
        case all
        /// What the assistant writes, with the token that ends its turn.
        case completions
    }

    /// What becomes of an example that is too long.
    public enum LengthPolicy: String, Sendable, Hashable, CaseIterable {
        /// It is cut at its end.
        case truncate
        /// It is left out.
        case skip
        /// It is cut at its end, and left out where nothing of an answer would be left.
        case skipWithoutAnswer = "skip_without_answer"
    }

    public var tokenizer: Tokenizer
    /// Used for dialogues; `nil` where the data holds none.
    public var template: ChatTemplate?
    /// Tokens of the longest example.
    public var maxLength: Int
    public var lossTarget: LossTarget
    public var lengthPolicy: LengthPolicy
    /// What happens when the template refuses a record, or a record has nothing to learn.
    public var invalidPolicy: RecordFile.InvalidRecordPolicy

    public init(
        tokenizer: Tokenizer, template: ChatTemplate?, maxLength: Int, lossTarget: LossTarget = .all,
        lengthPolicy: LengthPolicy = .truncate, invalidPolicy: RecordFile.InvalidRecordPolicy = .skip
    ) {
        self.tokenizer = tokenizer
        self.template = template
        self.maxLength = maxLength
        self.lossTarget = lossTarget
        self.lengthPolicy = lengthPolicy
        self.invalidPolicy = invalidPolicy
    }

    /// The examples of records; what had to be cut or left out is added to the report.
    /// - Throws: ``DataError`` when a dialogue has no template, a record is unfit that the policy does not allow, or no
    ///   example is left.
    public func examples(from records: [Record], report: inout DataReport) throws -> [Example] {
        let examples = try records.compactMap { try example(from: $0, report: &report) }
        if invalidPolicy == .stop { try report.requireFitRecords(path: nil) }
        if tokenizer.eosID == nil, records.contains(where: { !$0.isDialogue }) {
            report.remarks.append(
                "the tokenizer names no EOS: records of the shapes \"text\" and \"prompt\" end without one, and do not "
                    + "teach the model to stop.")
        }
        addRemarks(on: examples, to: &report)
        guard !examples.isEmpty else {
            // What most records were left out for is what the user has to fix.
            let worst = report.counts.first { !$0.isUsed }?.kind
            let first = report.problems.first { !$0.isUsed && $0.kind == worst }
            throw DataError(
                .empty, path: nil,
                "no example is left: \(report.summary)."
                    + (first.map { " The first that is \($0.kind.rawValue): \($0.place) \($0.reason)" } ?? ""))
        }
        return examples
    }

    private func example(from record: Record, report: inout DataReport) throws -> Example? {
        let encoding: Encoding
        let completions: [Range<Int>]
        switch record.content {
        case .dialogue(let messages):
            guard let template else {
                throw DataError(
                    .malformed, path: nil, "\(record.place) is a dialogue, but no chat template was chosen.")
            }
            let chat: ChatText
            do {
                chat = try template.render(messages)
            } catch let error as TokenizerError where error.code == .refused {
                report.problems.append(
                    .init(place: record.place, kind: .refusedByTemplate, reason: error.description))
                return nil
            }
            if chat.completions == nil, lossTarget == .completions {
                report.problems.append(
                    .init(
                        place: record.place, kind: .refusedByTemplate,
                        reason: "is written by \(template) in such a way that it is not known which tokens the "
                            + "assistant writes. Use a built-in template, mark the answers with {% generation %}, or set "
                            + "`loss_on: all`."))
                return nil
            }
            (encoding, completions) = (tokenizer.encode(chat), chat.completions ?? [])
            countEnding(of: encoding, after: chat.completions, messages: messages, in: &report)
        case .completion(let prompt, let completion):
            let start = prompt.utf8.count
            encoding = plain(prompt + completion)
            completions = [start..<start + completion.utf8.count + 1]
        case .text(let text):
            encoding = plain(text)
            completions = [0..<text.utf8.count + 1]
        }
        return fit(encoding, completions: completions, record: record, report: &report)
    }

    /// Text that stands for itself: BOS where the tokenizer adds one, EOS at the end so that the model learns to stop;
    /// neither twice where the text brings its own.
    private func plain(_ text: String) -> Encoding {
        var encoding = tokenizer.encode(text, addSpecialTokens: true)
        if let bos = tokenizer.bosID, encoding.ids.starts(with: [bos, bos]) {
            encoding.ids.remove(at: 1)
            encoding.byteRanges.remove(at: 1)
        }
        guard let eos = tokenizer.eosID else { return encoding }
        if encoding.ids.suffix(2) == [eos, eos] {
            encoding.ids.removeLast()
            encoding.byteRanges.removeLast()
        } else if encoding.ids.last != eos {
            encoding.ids.append(eos)
            encoding.byteRanges.append(text.utf8.count..<text.utf8.count)
        }
        return encoding
    }

    private func fit(
        _ encoding: Encoding, completions: [Range<Int>], record: Record, report: inout DataReport
    ) -> Example? {
        var ids = encoding.ids
        let problemsBefore = report.problems.count
        if ids.count > maxLength {
            let isUsed = lengthPolicy != .skip
            report.problems.append(
                .init(
                    place: record.place, kind: .tooLong,
                    reason: "has \(ids.count) tokens; at most \(maxLength) are allowed.", isUsed: isUsed))
            guard isUsed else { return nil }
            ids = Array(ids.prefix(maxLength))
        }
        // BOS covers no byte of the text; it is nobody's completion.
        let isCompletion = zip(ids.indices, encoding.byteRanges).map { index, range in
            !(index == 0 && range.isEmpty) && completions.contains { $0.contains(range.lowerBound) }
        }
        if ids.count < encoding.ids.count, losesAnswer(isCompletion, completions, of: record) {
            report.problems[report.problems.count - 1] = lostAnswer(of: encoding.ids.count, record)
            guard lossTarget == .all, lengthPolicy == .truncate else { return nil }
        }
        let labels = zip(ids, isCompletion).enumerated().map { index, token in
            index > 0 && (lossTarget == .all || token.1) ? token.0 : Example.ignoredLabel
        }
        let example = Example(
            ids: ids, labels: labels, isCompletion: isCompletion, place: record.place, source: record.source)
        guard example.labelCount > 0 else {
            if report.problems.count > problemsBefore {
                report.problems.removeLast()
                report.problems.append(
                    .init(
                        place: record.place, kind: .tooLong,
                        reason:
                            "has \(encoding.ids.count) tokens; what carries loss lies beyond the \(maxLength) that are "
                            + "allowed."))
            } else {
                report.problems.append(
                    .init(place: record.place, kind: .noLoss, reason: "has no token that carries loss."))
            }
            return nil
        }
        return example
    }
}
