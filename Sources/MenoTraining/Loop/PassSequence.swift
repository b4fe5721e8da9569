internal import MenoData
internal import MenoModels

/// A sequence that goes through the model.
struct PassSequence {
    var ids: [Int32]
    /// Of each token, itself or −100.
    var labels: [Int32]
    /// What it is to its example; `nil` where it is the example.
    var member: Pass.Member?

    init(_ example: Example) { (ids, labels) = (example.ids, example.labels) }

    /// - Parameter learnsPrompt: whether the tokens of the prompt have labels too.
    init(_ ids: [Int32], _ member: Pass.Member, learnsPrompt: Bool) {
        self.ids = ids
        self.member = member
        labels =
            learnsPrompt
            ? ids : ids.enumerated().map { $0 < member.completionStart ? Example.ignoredLabel : $1 }
    }
}

/// Which sequences the examples of a step are.
package enum PassArrangement: Sendable, Hashable {
    /// Each example is one.
    case examples
    /// Each is two, which go through the model together.
    case pairs(learnsPrompt: Bool)
    /// Each is one that is good or is not.
    case judged
    /// The completion of each beside the prompt of the next: (x₁, yₙ), (x₂, y₁), …, as TRL estimates KTO's divergence.
    case mismatched

    /// Of each example, the sequences that go through the model together.
    func sequences(of examples: [Example]) -> [[PassSequence]] {
        switch self {
        case .examples: examples.map { [PassSequence($0)] }
        case .pairs(let learnsPrompt):
            examples.enumerated().map { index, example in
                guard let preference = example.preference, let rejected = preference.rejected else { return [] }
                let sides = [
                    (example.ids, Pass.Member.Role.chosen, preference.reference?.chosen),
                    (rejected, .rejected, preference.reference?.rejected),
                ]
                return sides.map { ids, role, reference in
                    PassSequence(
                        ids,
                        .init(
                            example: index, role: role, completionStart: preference.promptLength,
                            reference: reference), learnsPrompt: learnsPrompt)
                }
            }
        case .judged:
            examples.enumerated().map { index, example in
                guard let preference = example.preference else { return [] }
                return [
                    PassSequence(
                        example.ids,
                        .init(
                            example: index, role: preference.isDesirable ? .chosen : .rejected,
                            completionStart: preference.promptLength, reference: preference.reference?.chosen),
                        learnsPrompt: false)
                ]
            }
        case .mismatched:
            examples.indices.map { index in
                let other = examples[index == 0 ? examples.count - 1 : index - 1]
                guard let start = examples[index].preference?.promptLength,
                    let from = other.preference?.promptLength
                else { return [] }
                let ids = Array(examples[index].ids.prefix(start) + other.ids.dropFirst(from))
                return [
                    PassSequence(
                        ids, .init(example: index, role: .mismatched, completionStart: start), learnsPrompt: false)
                ]
            }
        }
    }

    /// A pass of equal examples that stands for any of their length. Ids do not matter to memory or time.
    /// - Parameter length: tokens of all sequences of an example.
    func synthetic(length: Int, examples: Int, vocabularySize: Int) -> Pass {
        let ids = { (count: Int) in (0..<count).map { Int32($0 % vocabularySize) } }
        guard self != .examples else {
            let ids = ids(length * examples)
            return Pass(
                inputIDs: ids, labels: ids, layout: SequenceLayout(lengths: Array(repeating: length, count: examples)))
        }
        let isPair = if case .pairs = self { true } else { false }
        let sizes = isPair ? [max(2, length - length / 2), max(2, length / 2)] : [length]
        let sequences = (0..<examples).flatMap { example in
            zip(sizes, [Pass.Member.Role.chosen, .rejected]).map { size, role in
                PassSequence(
                    ids(size), .init(example: example, role: role, completionStart: 1), learnsPrompt: false)
            }
        }
        return Pass(sequences, sharedPrefix: 0, numbers: nil)
    }
}
