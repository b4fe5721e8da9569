internal import Foundation
internal import MenoTokenizers

extension ExampleSource {
    /// The entropy of the labels' frequencies, in nats: −Σ p log p, p the share of each token among all labels that are
    /// predicted. `nil` where there is none.
    ///
    /// No model that gives every place the same probabilities has a smaller mean loss over these very labels, and one that
    /// knows their frequencies has this one.
    /// - Note: Of few examples it is below the entropy of the source they were drawn from, by about
    ///   (different tokens − 1) / (2 · labels) (Miller 1955). It is not corrected: what it is held against is the loss over
    ///   the same labels.
    package func labelEntropy(at positions: some Sequence<Int>) throws -> Double? {
        var counts: [TokenID: Int] = [:]
        for position in positions {
            for label in try example(at: position).labels.dropFirst() where label != Example.ignoredLabel {
                counts[label, default: 0] += 1
            }
        }
        let total = Double(counts.values.reduce(0, +))
        guard total > 0 else { return nil }
        // In the order of size, so that the same examples give the same bits.
        let sum = counts.values.sorted().reduce(0.0) { $0 + Double($1) * log(Double($1)) }
        return Swift.max(0, log(total) - sum / total)
    }
}
