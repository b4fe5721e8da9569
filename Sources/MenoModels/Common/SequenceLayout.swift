internal import MenoTensor

/// How sequences lie end to end in a packed batch: `[tokens, …]` instead of `[batch, length, …]`.
///
/// Positions start at 0 in every sequence and no token attends to another sequence's, so packing changes no
/// result. A rectangular batch, padded on the right, is the case of equal lengths.
///
/// Sequences that begin alike, with the same instructions for example, can have that beginning in common: it lies in the
/// first one alone, and the others attend to it there. What is computed for it is what each would compute for itself.
package struct SequenceLayout: Sendable, Hashable {
    /// The number of tokens that lie there of each sequence.
    package var lengths: [Int]
    /// Tokens that the first sequence begins with and every other too, where they do not lie.
    package let sharedPrefix: Int
    /// Which example of its step each sequence is: what dropout and noise do to it follows from this, whatever lies beside it.
    package let numbers: [Int]

    /// - Parameter numbers: one for each sequence, from 0; `nil`: 0, 1, ….
    package init(lengths: [Int], sharedPrefix: Int = 0, numbers: [Int]? = nil) {
        precondition(numbers.map { $0.count == lengths.count } ?? true, "a number for each sequence")
        self.numbers = numbers ?? Array(lengths.indices)
        precondition(lengths.allSatisfy { $0 > 0 }, "every sequence has a token of its own")
        precondition((0...(lengths.first ?? 0)).contains(sharedPrefix), "the first sequence has what all begin with")
        self.lengths = lengths
        self.sharedPrefix = sharedPrefix
    }

    /// Tokens that lie there in all.
    package var tokenCount: Int { lengths.reduce(0, +) }

    /// Tokens of all sequences, what they have in common counted in each.
    package var sequenceTokenCount: Int { tokenCount + max(0, lengths.count - 1) * sharedPrefix }

    /// The position of each token in its sequence, `[tokens]`.
    package var positions: [Int64] {
        lengths.enumerated().flatMap { index, length in
            let before = index > 0 ? Int64(sharedPrefix) : 0
            return before..<before + Int64(length)
        }
    }

    /// A number for each token that no other token of its step has, `[tokens]`.
    var rowNumbers: [Int64] {
        zip(zip(lengths, numbers).flatMap { Array(repeating: Int64($1), count: $0) }, positions).map { $0 << 32 | $1 }
    }

    /// The length of every sequence, where they are all equal.
    var uniformLength: Int? { Set(lengths).count == 1 ? lengths.first : nil }

    /// A label that a pass predicts.
    package struct Prediction: Sendable, Hashable {
        /// Which sequence's, and at which place in it.
        package var sequence, position: Int
        /// The label's place in the pass, and that of the token before it, from whose state it is predicted.
        package var label, state: Int
    }

    /// The labels that a pass predicts, sequence by sequence: those that are not −100 and not first in a sequence. Labels
    /// that sequences have in common are each one's.
    /// - Parameter labels: `[tokens]`.
    package func predictions(of labels: [Int32]) -> [Prediction] {
        var result: [Prediction] = []
        result.reserveCapacity(sequenceTokenCount)
        var start = 0
        for (sequence, length) in lengths.enumerated() {
            let before = sequence > 0 ? sharedPrefix : 0
            let place = { (position: Int) in position < before ? position : start + position - before }
            for position in 1..<max(1, before + length) where labels[place(position)] >= 0 {
                result.append(
                    Prediction(
                        sequence: sequence, position: position, label: place(position), state: place(position - 1)))
            }
            start += length
        }
        return result
    }
}
