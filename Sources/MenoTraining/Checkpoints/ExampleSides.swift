package import Foundation
package import MenoData

/// The examples of a run, split into those that are trained on and those that evaluations use.
package struct ExampleSides: Sendable {
    package struct Sides: Sendable {
        package var training: any ExampleSource
        package var evaluation: [Example]
    }

    /// Of a new run: equal examples are on one side.
    package let current: Sides
    /// Of runs that began before equal examples were kept together; `nil` where that is the same.
    private let former: Sides?

    /// - Parameters:
    ///   - limit: how many of the held-out examples evaluations use.
    ///   - shuffles: `false` keeps the order of the file.
    package init(
        _ examples: any ExampleSource, trainFraction: Double, limit: Int, seed: UInt64, shuffles: Bool
    ) throws {
        let sides = { (split: Split) in
            let heldOut = examples.selection(split.heldOut)
            let chosen = BalancedSample.positions(of: heldOut, limit: limit, seed: seed)
            return Sides(
                training: examples.selection(split.training), evaluation: try heldOut.examples(at: chosen))
        }
        let split = Split(examples, trainFraction: trainFraction, seed: seed, shuffles: shuffles)
        let plain = Split(count: examples.count, trainFraction: trainFraction, seed: seed, shuffles: shuffles)
        current = try sides(split)
        former = plain == split ? nil : try sides(plain)
    }

    /// All examples are trained on, and others evaluate.
    package init(
        _ examples: any ExampleSource, evaluation: any ExampleSource, limit: Int, seed: UInt64, shuffles: Bool
    ) throws {
        let order = Split(count: examples.count, trainFraction: 1, seed: seed, shuffles: shuffles).training
        let chosen = BalancedSample.positions(of: evaluation, limit: limit, seed: seed)
        current = Sides(training: examples.selection(order), evaluation: try evaluation.examples(at: chosen))
        former = nil
    }

    /// The sides that a checkpoint was made with: a run keeps the split that it began with.
    /// - Returns: `isFormer`: whether equal examples are on both sides.
    package func sides(of checkpoint: URL) -> (sides: Sides, isFormer: Bool) {
        let url = checkpoint.appending(path: RunState.name)
        guard let former,
            let state = try? CheckpointStore.decoder.decode(RunState.self, from: Data(contentsOf: url)),
            (try? current.are(state)) == false, (try? former.are(state)) == true
        else { return (current, false) }
        return (former, true)
    }
}

extension ExampleSides.Sides {
    /// Whether a checkpoint was made with these. Old ones do not name what is held out.
    fileprivate func are(_ state: RunState) throws -> Bool {
        guard try state.settings["data"] == DataFingerprint.of(training, as: state.settings["data"]) else {
            return false
        }
        let heldOut = state.settings[SavedRun.evaluationKey]
        return try heldOut == nil || heldOut == DataFingerprint.of(evaluation, as: heldOut)
    }
}
