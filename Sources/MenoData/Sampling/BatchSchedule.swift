internal import Foundation

/// Which examples each optimizer step of a run takes, counted as transformers counts them.
public struct BatchSchedule: Sendable, Hashable {
    public var exampleCount: Int
    /// Examples of a full step: those of a micro-batch times the micro-batches that are accumulated.
    public var examplesPerStep: Int
    public var seed: UInt64
    /// `false` takes the examples in their own order, every epoch the same.
    public var shuffles: Bool

    public init(exampleCount: Int, examplesPerStep: Int, seed: UInt64, shuffles: Bool) {
        precondition(exampleCount > 0 && examplesPerStep > 0)
        self.exampleCount = exampleCount
        self.examplesPerStep = examplesPerStep
        self.seed = seed
        self.shuffles = shuffles
    }

    /// The last step of an epoch takes what is left.
    public var stepsPerEpoch: Int { (exampleCount + examplesPerStep - 1) / examplesPerStep }

    /// Steps of a run over (a fraction of) epochs, rounded up.
    public func steps(epochs: Double) -> Int { Int((epochs * Double(stepsPerEpoch)).rounded(.up)) }

    /// The examples of an optimizer step; the first is step 0.
    public func examples(ofStep step: Int) -> [Int] {
        let (epoch, within) = step.quotientAndRemainder(dividingBy: stepsPerEpoch)
        let order = order(ofEpoch: epoch)
        return Array(order[within * examplesPerStep..<min(exampleCount, (within + 1) * examplesPerStep)])
    }

    /// The order of an epoch's examples; it depends on nothing but the seed and the epoch, so a run can be taken up
    /// anywhere.
    public func order(ofEpoch epoch: Int) -> [Int] {
        shuffles
            ? Permutation.make(count: exampleCount, seed: seed, stream: UInt64(epoch) + 1) : Array(0..<exampleCount)
    }
}
