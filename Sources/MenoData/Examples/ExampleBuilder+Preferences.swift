internal import MenoTokenizers

/// Pairs of completions, and completions that are judged by themselves.
extension ExampleBuilder {
    /// The example of a pair, both sides of it or none.
    func pair(from record: Record, report: inout DataReport, _ notes: inout Notes) throws -> Example? {
        guard let content = record.rejected else {
            report.problems.append(
                .init(place: record.place, kind: .noPair, reason: "has no \"chosen\" and \"rejected\"."))
            return nil
        }
        guard let chosen = try encoded(record.content, record, &report, &notes),
            let rejected = try encoded(content, record, &report, &notes),
            let prompt = try promptIDs(of: record, &report)
        else { return nil }
        let length = min(prompt.commonBeginning(chosen), prompt.commonBeginning(rejected))
        note(prompt, cutTo: length, of: record, &notes)
        guard let limit = fit(prompt: length, [chosen, rejected], record, &report) else { return nil }
        let (first, second) = (Array(chosen.prefix(limit)), Array(rejected.prefix(limit)))
        guard first != second else {
            report.problems.append(
                .init(
                    place: record.place, kind: .equalSides,
                    reason: "has a \"chosen\" and a \"rejected\" of the same tokens."))
            return nil
        }
        return example(first, promptLength: length, record, rejected: second)
    }

    /// The examples of a completion that is judged by itself, or of the two sides of a pair.
    func judged(from record: Record, report: inout DataReport, _ notes: inout Notes) throws -> [Example] {
        if record.rejected != nil {
            guard let pair = try pair(from: record, report: &report, &notes), let preference = pair.preference,
                let rejected = preference.rejected
            else { return [] }
            return [
                example(pair.ids, promptLength: preference.promptLength, record, isDesirable: true),
                example(rejected, promptLength: preference.promptLength, record, isDesirable: false),
            ]
        }
        guard let isDesirable = record.judgement else {
            report.problems.append(
                .init(place: record.place, kind: .noLabel, reason: "has no \"label\" that is true or false."))
            return []
        }
        let hasPrompt =
            switch record.content {
            case .dialogue: record.promptTurns > 0
            case .completion: true
            case .text, .tokens: false
            }
        guard hasPrompt else {
            report.problems.append(
                .init(place: record.place, kind: .noPair, reason: "has no \"prompt\" and \"completion\"."))
            return []
        }
        guard let whole = try encoded(record.content, record, &report, &notes),
            let prompt = try promptIDs(of: record, &report)
        else { return [] }
        let length = prompt.commonBeginning(whole)
        note(prompt, cutTo: length, of: record, &notes)
        guard let limit = fit(prompt: length, [whole], record, &report) else { return [] }
        return [example(Array(whole.prefix(limit)), promptLength: length, record, isDesirable: isDesirable)]
    }

    private func example(
        _ ids: [TokenID], promptLength: Int, _ record: Record, rejected: [TokenID]? = nil, isDesirable: Bool = true
    ) -> Example {
        let isCompletion = ids.indices.map { $0 >= promptLength }
        var example = Example(
            ids: ids, labels: zip(ids, isCompletion).map { $1 ? $0 : Example.ignoredLabel },
            isCompletion: isCompletion, place: record.place, source: record.source)
        example.preference = Preference(promptLength: promptLength, rejected: rejected, isDesirable: isDesirable)
        return example
    }

    /// The tokens of prompt and completion.
    private func encoded(
        _ content: Record.Content, _ record: Record, _ report: inout DataReport, _ notes: inout Notes
    ) throws -> [TokenID]? {
        switch content {
        case .dialogue(let messages):
            guard let (_, chat) = try rendered(messages, record, &report, &notes) else { return nil }
            let encoding = tokenizer.encode(chat)
            countEnding(of: encoding, after: chat.completions, messages: messages, in: &report)
            return encoding.ids
        case .completion(let prompt, let completion):
            notes.use.note(record.variables)
            return plain(prompt + completion).ids
        case .text(let text): return plain(text).ids
        case .tokens(let ids, _): return ids.map { TokenID(truncatingIfNeeded: $0) }
        }
    }

    /// The tokens of the prompt as the model is asked with it.
    private func promptIDs(of record: Record, _ report: inout DataReport) throws -> [TokenID]? {
        switch record.content {
        case .dialogue(let messages):
            guard let template else { return nil }
            do {
                let prompt = Array(messages.prefix(record.promptTurns))
                return tokenizer.encode(
                    try template.render(prompt, variables: variables(of: record), addGenerationPrompt: true)
                ).ids
            } catch let error as TokenizerError where error.code == .refused {
                report.problems.append(
                    .init(place: record.place, kind: .refusedByTemplate, reason: error.description))
                return nil
            }
        case .completion(let prompt, _):
            return withoutRepeatedBOS(tokenizer.encode(prompt, addSpecialTokens: true)).ids
        case .text, .tokens: return []
        }
    }

    /// A prompt that has other tokens when a completion follows: these count as the completion's, as TRL has it.
    private func note(_ prompt: [TokenID], cutTo length: Int, of record: Record, _ notes: inout Notes) {
        guard length < prompt.count else { return }
        if notes.merged == 0 {
            notes.firstMerged = "\(record.place), \(tokenizer.decode([prompt[length]]).debugDescription)"
        }
        notes.merged += 1
    }

    /// How many tokens the sequences of a record may have: all of theirs, or the most that are allowed, where every one of them
    /// is longer. One side of a pair is never cut beside a whole one, which would be preferred, or not, for its end.
    /// - Returns: `nil` where the record is left out.
    private func fit(
        prompt: Int, _ sequences: [[TokenID]], _ record: Record, _ report: inout DataReport
    ) -> Int? {
        let lengths = sequences.map(\.count)
        guard let longest = lengths.max(), let shortest = lengths.min() else { return nil }
        guard prompt < shortest, prompt > 0 else {
            report.problems.append(
                .init(
                    place: record.place, kind: .noLoss,
                    reason: prompt > 0 ? "has a completion without tokens." : "has a prompt without tokens."))
            return nil
        }
        guard longest > maxLength else { return longest }
        guard prompt < maxLength else {
            report.problems.append(
                .init(
                    place: record.place, kind: .lostAnswer,
                    reason: "has a prompt of \(prompt) tokens; the \(maxLength) that are allowed leave no room for a "
                        + "completion."))
            return nil
        }
        let isUsed = lengthPolicy != .skip && shortest > maxLength
        let has = lengths.count == 1 ? "has \(longest)" : "has sides of \(lengths[0]) and \(lengths[1])"
        let why = lengthPolicy == .skip || isUsed ? "" : " One side is not cut without the other."
        report.problems.append(
            .init(
                place: record.place, kind: .tooLong,
                reason: "\(has) tokens; at most \(maxLength) are allowed.\(why)", isUsed: isUsed))
        return isUsed ? maxLength : nil
    }

    /// Says that only one side of pairs is learnt.
    func remarkOnPairs(_ pairs: Int, _ report: inout DataReport) {
        guard pairs > 0 else { return }
        report.remarks.append(
            "\(pairs) records have a \"rejected\" side, which supervised fine-tuning does not read: it learns \"chosen\"."
        )
    }
}

extension Record {
    /// Whether its completion is a good one, as its `label` says; `nil` where it does not.
    fileprivate var judgement: Bool? {
        switch variables.first(where: { $0.key == "label" })?.value {
        case .boolean(let value): value
        case .integer(0), .number(0): false
        case .integer(1), .number(1): true
        default: nil
        }
    }
}

extension [TokenID] {
    /// How many tokens both begin with.
    fileprivate func commonBeginning(_ other: [TokenID]) -> Int { zip(self, other).prefix { $0 == $1 }.count }
}
