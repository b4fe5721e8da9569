package import MenoData
package import MenoModels

/// Examples that go through the model together, laid end to end.
package struct Pass: Sendable, Hashable {
    /// `[tokens]`.
    package var inputIDs: [Int32]
    /// `[tokens]`: the token itself, or −100 where it carries no loss.
    package var labels: [Int32]
    package var layout: SequenceLayout

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
        let parts = examples.enumerated().map { index, example in
            (example, (index > 0 ? sharedPrefix : 0)..<example.ids.count)
        }
        self.init(
            inputIDs: parts.flatMap { $0.ids[$1] }, labels: parts.flatMap { $0.labels[$1] },
            layout: SequenceLayout(lengths: parts.map(\.1.count), sharedPrefix: sharedPrefix, numbers: numbers))
    }

    /// Labels that are predicted: those that are not −100 and not first in their sequence.
    package var labelCount: Int { layout.predictions(of: labels).count }
}
