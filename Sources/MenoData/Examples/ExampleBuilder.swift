package import MenoFormats
package import MenoTokenizers

/// Turns records into examples.
package struct ExampleBuilder: Sendable {
    package var tokenizer: Tokenizer
    /// Used for dialogues; `nil` where the data holds none.
    package var template: ChatTemplate?
    /// Tokens of the longest example.
    package var maxLength: Int
    package var lossTarget: LossTarget
    package var lengthPolicy: LengthPolicy
    /// What happens when the template refuses a record, or a record has nothing to learn.
    package var invalidPolicy: InvalidRecordPolicy
    /// What the template is given with every dialogue that brings no such value of its own.
    package var variables: [JSONValue.Member]
    /// What examples are made of.
    package var unit = Unit.completions
    /// Whether texts stay whole, whatever their length: they are cut into blocks later.
    package var keepsTextsWhole = false
    /// Why there is no template, where that is known: thrown when a dialogue needs one.
    package var templateFault: (any Error)?

    /// What a record becomes.
    package enum Unit: Sendable, Hashable {
        /// An example that is learnt for itself; of a pair, its chosen side.
        case completions
        /// A pair of completions.
        case pairs
        /// A completion that is good or is not: of a pair, two of them.
        case judged
    }

    package init(
        tokenizer: Tokenizer, template: ChatTemplate?, maxLength: Int, lossTarget: LossTarget = .all,
        lengthPolicy: LengthPolicy = .truncate, invalidPolicy: InvalidRecordPolicy = .skip,
        variables: [JSONValue.Member] = []
    ) {
        self.tokenizer = tokenizer
        self.template = template
        self.maxLength = maxLength
        self.lossTarget = lossTarget
        self.lengthPolicy = lengthPolicy
        self.invalidPolicy = invalidPolicy
        self.variables = variables
    }

    /// The examples of records; what had to be cut or left out is added to the report.
    /// - Throws: ``DataError`` when a dialogue has no template, a record is unfit that the policy does not allow, or no
    ///   example is left.
    package func examples(from records: [Record], report: inout DataReport) throws -> [Example] {
        var notes = Notes()
        let examples = try records.flatMap { try self.examples(from: $0, report: &report, &notes) }
        try conclude(notes, examples, &report)
        return examples
    }

    /// What a record becomes; ``conclude(_:_:_:)`` says at the end what is good to know of all of them.
    package func examples(from record: Record, report: inout DataReport, _ notes: inout Notes) throws -> [Example] {
        if record.rejected != nil { notes.pairs += 1 }
        if !record.isDialogue { notes.texts += 1 }
        return switch unit {
        case .completions: try example(from: record, report: &report, &notes).map { [$0] } ?? []
        case .pairs: try pair(from: record, report: &report, &notes).map { [$0] } ?? []
        case .judged: try judged(from: record, report: &report, &notes)
        }
    }

    /// Adds what is good to know of all examples.
    /// - Throws: ``DataError`` where a record is unfit that the policy does not allow, or no example is left.
    package func conclude(_ notes: Notes, _ examples: any ExampleSource, _ report: inout DataReport) throws {
        report.remarks += notes.remarks
        if unit == .completions { remarkOnPairs(notes.pairs, &report) }
        if invalidPolicy == .stop { try report.requireFitRecords(path: nil) }
        if tokenizer.eosID == nil, notes.texts > 0 {
            report.remarks.append(
                "the tokenizer names no EOS: records of the shapes \"text\" and \"prompt\" end without one, and do not "
                    + "teach the model to stop.")
        }
        addRemarks(on: examples, to: &report)
        guard examples.count == 0 else { return }
        // What most records were left out for is what the user has to fix.
        let worst = report.counts.first { !$0.isUsed }?.kind
        let first = report.problems.first { !$0.isUsed && $0.kind == worst }
        throw DataError(
            .empty, at: nil,
            "no example is left: \(report.summary)."
                + (first.map { " The first that is \($0.kind.rawValue): \($0.place) \($0.reason)" } ?? ""))
    }

    /// What is good to know of all records together.
    package struct Notes: Sendable, Codable {
        var use = MemberUse()
        var merged = 0
        var firstMerged = ""
        /// Records that are pairs, and those that are no dialogues.
        var pairs = 0
        var texts = 0

        /// - Parameter memberTrials: of how many records with a member it is found out whether it is read; `nil`: of as many
        ///   as it takes to be sure.
        package init(memberTrials: Int? = nil) {
            if let memberTrials { use.trialLimit = memberTrials }
        }

        /// Adds what was noted of other records, which come behind.
        package mutating func add(_ other: Notes) {
            use.add(other.use)
            if merged == 0 { firstMerged = other.firstMerged }
            merged += other.merged
            pairs += other.pairs
            texts += other.texts
        }

        var remarks: [String] {
            guard merged > 0 else { return use.remarks }
            return use.remarks + [
                "tokens merge across the beginning of an answer (records: \(merged); the first: \(firstMerged)). They count as "
                    + "the answer's, and when the model answers, the prompt ends in other tokens. Begin answers with the "
                    + "space, and end prompts without one."
            ]
        }
    }

    /// What the template is given beside the turns.
    func variables(of record: Record) -> [JSONValue.Member] {
        variables.isEmpty ? record.variables : variables.overridden(by: record.variables)
    }

    private func example(from record: Record, report: inout DataReport, _ notes: inout Notes) throws -> Example? {
        let encoding: Encoding
        var learnt: LearntBytes
        // The byte from which on a prompt has other tokens when it stands alone.
        var merged: Int?
        switch record.content {
        case .dialogue(let messages):
            guard let written = try dialogue(messages, record, &report, &notes) else { return nil }
            (encoding, learnt) = written
        case .completion(let prompt, let completion):
            let start = prompt.utf8.count
            encoding = plain(prompt + completion)
            learnt = LearntBytes(completions: [start..<start + completion.utf8.count + 1])
            merged = difference(of: encoding, from: prompt).flatMap { $0 < start ? $0 : nil }
            notes.use.note(record.variables)
        case .text(let text):
            encoding = plain(text)
            learnt = LearntBytes(completions: [0..<text.utf8.count + 1])
            notes.use.note(record.variables)
        case .tokens(let ids, let labels): return tokenized(ids, labels, record, &report)
        }
        if let merged { learnt.completions = learnt.completions.map { min($0.lowerBound, merged)..<$0.upperBound } }
        if let token = merged.map({ place in encoding.byteRanges.firstIndex { $0.upperBound > place } ?? 0 })
            ?? learnt.merged(encoding.byteRanges)
        {
            if notes.merged == 0 {
                notes.firstMerged = "\(record.place), \(tokenizer.decode([encoding.ids[token]]).debugDescription)"
            }
            notes.merged += 1
        }
        return fit(encoding, learnt, record: record, report: &report)
    }

    /// A dialogue as its template writes it, and what is learnt of it; `nil` where it is left out.
    private func dialogue(
        _ messages: [ChatMessage], _ record: Record, _ report: inout DataReport, _ notes: inout Notes
    ) throws -> (Encoding, LearntBytes)? {
        guard let (template, chat) = try rendered(messages, record, &report, &notes) else { return nil }
        let encoding = tokenizer.encode(chat)
        countEnding(of: encoding, after: chat.completions, messages: messages, in: &report)
        do {
            return (encoding, try learntBytes(of: messages, in: chat, template: template, record: record))
        } catch .turn(let index) {
            refuse(
                record, &report,
                "has a turn that is not to be learnt (the \(index + 1). one), and it is not known where \(template) writes "
                    + "it. Use a built-in template, or leave the turn out.")
        } catch {
            refuse(
                record, &report,
                "is written by \(template) in such a way that it is not known which tokens the assistant writes. Use a "
                    + "built-in template, mark the answers with {% generation %}, or set `loss_on: all`.")
        }
        return nil
    }

    private func refuse(_ record: Record, _ report: inout DataReport, _ reason: String) {
        report.problems.append(.init(place: record.place, kind: .refusedByTemplate, reason: reason))
    }

    /// The text of a dialogue; `nil` where the template does not take it.
    func rendered(
        _ messages: [ChatMessage], _ record: Record, _ report: inout DataReport, _ notes: inout Notes
    ) throws -> (ChatTemplate, ChatText)? {
        guard let template else {
            if let templateFault { throw templateFault }
            throw DataError(.malformed, at: nil, "\(record.place) is a dialogue, but no chat template was chosen.")
        }
        let variables = variables(of: record)
        let chat: ChatText
        do {
            chat = try template.render(messages, variables: variables)
        } catch let error as TokenizerError where error.code == .refused {
            refuse(record, &report, error.description)
            return nil
        }
        if messages.contains(where: { $0["tool_calls"] != nil }),
            !MemberUse.isWritten("tool_calls", messages, variables, template: template, text: chat.text)
        {
            refuse(
                record, &report,
                "has \"tool_calls\", which \(template) does not write: without them, the model would learn not to call. "
                    + "Use a template that knows tools.")
            return nil
        }
        notes.use.note(messages, variables, template: template, text: chat.text)
        return (template, chat)
    }

    /// The byte where the tokens of a text begin to differ from those of its beginning alone; `nil` where they do not. What
    /// the model sees of a prompt are its tokens alone: where the whole has others, the model has to write them, as TRL has
    /// it.
    private func difference(of whole: Encoding, from beginning: String) -> Int? {
        let alone = withoutRepeatedBOS(tokenizer.encode(beginning, addSpecialTokens: true))
        let count = zip(whole.ids, alone.ids).prefix { $0 == $1 }.count
        return count < whole.ids.count ? whole.byteRanges[count].lowerBound : nil
    }

    func withoutRepeatedBOS(_ encoding: Encoding) -> Encoding {
        var encoding = encoding
        if let bos = tokenizer.bosID, encoding.ids.starts(with: [bos, bos]) {
            encoding.ids.remove(at: 1)
            encoding.byteRanges.remove(at: 1)
        }
        return encoding
    }

    /// Text that stands for itself: BOS where the tokenizer adds one, EOS at the end so that the model learns to stop;
    /// neither twice where the text brings its own.
    func plain(_ text: String) -> Encoding {
        var encoding = withoutRepeatedBOS(tokenizer.encode(text, addSpecialTokens: true))
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
        _ encoding: Encoding, _ learnt: LearntBytes, record: Record, report: inout DataReport
    ) -> Example? {
        var ids = encoding.ids
        let problemsBefore = report.problems.count
        let maxLength = if keepsTextsWhole, case .text = record.content { Int.max } else { self.maxLength }
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
            !(index == 0 && range.isEmpty) && learnt.isCompletion(range)
        }
        if ids.count < encoding.ids.count, losesAnswer(isCompletion, learnt.completions, of: record) {
            report.problems[report.problems.count - 1] = lostAnswer(of: encoding.ids.count, record)
            guard lossTarget == .all, lengthPolicy == .truncate else { return nil }
        }
        let labels = zip(ids, zip(isCompletion, encoding.byteRanges)).enumerated().map { index, token in
            let isLearnt = lossTarget == .all ? !learnt.isWithheld(token.1.1) : token.1.0
            return index > 0 && isLearnt ? token.0 : Example.ignoredLabel
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
