internal import MenoTokenizers

extension ExampleBuilder {
    /// The example of a record that was tokenized before.
    func tokenized(_ ids: [Int], _ labels: [Int], _ record: Record, _ report: inout DataReport) -> Example? {
        if let other = ids.first(where: { !(0..<tokenizer.vocabularySize).contains($0) }) {
            report.problems.append(
                .init(
                    place: record.place, kind: .otherVocabulary,
                    reason:
                        "has the token \(other), and the model's vocabulary has \(tokenizer.vocabularySize) tokens: it was "
                        + "made with another tokenizer."))
            return nil
        }
        let isCut = ids.count > maxLength
        if isCut {
            report.problems.append(
                .init(
                    place: record.place, kind: .tooLong,
                    reason: "has \(ids.count) tokens; at most \(maxLength) are allowed.", isUsed: lengthPolicy != .skip)
            )
            guard lengthPolicy != .skip else { return nil }
        }
        let kept = ids.prefix(maxLength).map { TokenID($0) }
        let learnt = labels.prefix(maxLength).enumerated().map {
            $0.offset > 0 ? TokenID($0.element) : Example.ignoredLabel
        }
        let example = Example(
            ids: kept, labels: learnt, isCompletion: learnt.map { $0 != Example.ignoredLabel }, place: record.place,
            source: record.source)
        guard example.labelCount > 0 else {
            if isCut { report.problems.removeLast() }
            let reason = isCut ? "has no label within the \(maxLength) tokens that are allowed." : "has no label."
            report.problems.append(
                .init(place: record.place, kind: isCut ? .tooLong : .noLoss, reason: reason))
            return nil
        }
        return example
    }
}
