package import MenoData
package import MenoModels

/// Examples that go through the model together, laid end to end.
package struct Pass: Sendable, Hashable {
    /// `[tokens]`.
    package var inputIDs: [Int32]
    /// `[tokens]`: the token itself, or −100 where it carries no loss.
    package var labels: [Int32]
    package var layout: SequenceLayout
    /// What each sequence is to its example; empty where each is one.
    package var members: [Member] = []

    /// What a sequence is to its example.
    package struct Member: Sendable, Hashable {
        package enum Role: Sendable, Hashable {
            /// A completion that is to become more probable, and one that is to become less so.
            case chosen, rejected
            /// A completion beside the prompt of another example, which only tells how far the model has moved.
            case mismatched
        }

        /// The example's position among those that are planned together.
        package var example: Int
        package var role: Role
        /// The position of the completion's first token.
        package var completionStart: Int
        /// Σ log p of the completion by the reference model, where it has been computed.
        package var reference: Double?
    }

    /// How many examples the pass has sequences of.
    package var exampleCount: Int { members.isEmpty ? layout.lengths.count : Set(members.map(\.example)).count }

    /// Whether its sequences are learnt, and not only looked at.
    var isLearnt: Bool { !members.contains { $0.role == .mismatched } }

    package init(inputIDs: [Int32], labels: [Int32], layout: SequenceLayout) {
        precondition(inputIDs.count == labels.count && inputIDs.count == layout.tokenCount)
        self.inputIDs = inputIDs
        self.labels = labels
        self.layout = layout
    }

    /// - Parameters:
    ///   - sharedPrefix: tokens that all of them begin with, labels included, laid for the first one alone.
    ///   - numbers: which example of its step each is; `nil`: 0, 1, ….
    package init(_ examples: some Collection<Example>, sharedPrefix: Int = 0, numbers: [Int]? = nil) {
        self.init(examples.map { PassSequence($0) }, sharedPrefix: sharedPrefix, numbers: numbers)
    }

    init(_ sequences: [PassSequence], sharedPrefix: Int, numbers: [Int]?) {
        let parts = sequences.enumerated().map { index, sequence in
            (sequence, (index > 0 ? sharedPrefix : 0)..<sequence.ids.count)
        }
        self.init(
            inputIDs: parts.flatMap { $0.ids[$1] }, labels: parts.flatMap { $0.labels[$1] },
            layout: SequenceLayout(lengths: parts.map(\.1.count), sharedPrefix: sharedPrefix, numbers: numbers))
        members = sequences.compactMap(\.member)
    }

    /// Labels that are predicted: those that are not −100 and not first in their sequence.
    package var labelCount: Int { layout.predictions(of: labels).count }
}
