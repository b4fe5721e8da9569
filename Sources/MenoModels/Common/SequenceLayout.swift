internal import MenoTensor

/// How sequences lie end to end in a packed batch: `[tokens, …]` instead of `[batch, length, …]`.
///
/// Positions start at 0 in every sequence and no token attends to another sequence, so packing does not change results. A
/// rectangular batch, padded on the right, is the special case of equal lengths.
///
/// Sequences that begin with the same tokens, such as the same instructions, can share that prefix: only the first sequence
/// contains it, and the others attend to it there. The results are the same as if each sequence contained it.
package struct SequenceLayout: Sendable, Hashable {
    /// The number of tokens of each sequence in the batch.
    package var lengths: [Int]
    /// The number of tokens at the start of the first sequence that every other sequence shares but does not contain.
    package let sharedPrefix: Int
    /// The number of each sequence within its step. Dropout and noise depend on it, and not on the other sequences of the batch.
    package let numbers: [Int]

    /// - Parameter numbers: one number for each sequence, from 0; `nil`: 0, 1, ….
    package init(lengths: [Int], sharedPrefix: Int = 0, numbers: [Int]? = nil) {
        precondition(numbers.map { $0.count == lengths.count } ?? true, "a number for each sequence")
        self.numbers = numbers ?? Array(lengths.indices)
        precondition(lengths.allSatisfy { $0 > 0 }, "every sequence has a token of its own")
        precondition((0...(lengths.first ?? 0)).contains(sharedPrefix), "the first sequence has what all begin with")
        self.lengths = lengths
        self.sharedPrefix = sharedPrefix
    }

    /// The total number of tokens in the batch.
    package var tokenCount: Int { lengths.reduce(0, +) }

    /// The number of tokens of all sequences, with the shared prefix counted in each.
    package var sequenceTokenCount: Int { tokenCount + max(0, lengths.count - 1) * sharedPrefix }

    /// The position of each token in its sequence, `[tokens]`.
    package var positions: [Int64] {
        lengths.enumerated().flatMap { index, length in
            let before = index > 0 ? Int64(sharedPrefix) : 0
            return before..<before + Int64(length)
        }
    }

    /// A number for each token that is unique within its step, `[tokens]`.
    var rowNumbers: [Int64] {
        zip(zip(lengths, numbers).flatMap { Array(repeating: Int64($1), count: $0) }, positions).map { $0 << 32 | $1 }
    }

    /// The length of every sequence, where they are all equal.
    var uniformLength: Int? { Set(lengths).count == 1 ? lengths.first : nil }

    /// A label that a pass predicts.
    package struct Prediction: Sendable, Hashable {
        /// The index of the sequence, and the position in it.
        package var sequence, position: Int
        /// The label's index in the batch, and the index of the token before it, whose state predicts it.
        package var label, state: Int
    }

    /// The labels that a pass predicts, sequence by sequence: those that are not −100 and not first in a sequence. Labels in a
    /// shared prefix count for every sequence.
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
