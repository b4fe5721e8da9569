import Foundation
import MenoConfiguration
import MenoData
import MenoTraining

/// The examples of a run, split into those that are trained on and those that evaluations use.
struct TrainingExamples {
    struct Sides {
        var training: [Example]
        var evaluation: [Example]
    }

    /// Equal examples are on one side.
    let sides: Sides
    /// As runs were split that began before equal examples were kept together; `nil` where that is the same.
    private let former: Sides?

    /// - Throws: ``ConfigurationError`` where none is left to train on.
    init(_ examples: [Example], _ data: RunConfiguration.Data) throws {
        let seed = UInt64(data.seed)
        let split = Split(examples, trainFraction: data.trainFraction, seed: seed, shuffles: data.shuffle)
        guard !split.training.isEmpty else {
            throw ConfigurationError(
                place: "data.train_fraction",
                "\(data.trainFraction) of \(examples.count) examples leaves none to train on.",
                advice: "Give a larger fraction, or more records.")
        }
        let sides = { (split: Split) in
            let heldOut = split.heldOut.map { examples[$0] }
            let chosen = BalancedSample.positions(of: heldOut, limit: data.maxEvaluationSamples, seed: seed)
            return Sides(training: split.training.map { examples[$0] }, evaluation: chosen.map { heldOut[$0] })
        }
        self.sides = sides(split)
        let plain = Split(count: examples.count, trainFraction: data.trainFraction, seed: seed, shuffles: data.shuffle)
        former = plain == split ? nil : sides(plain)
    }

    /// The sides that a checkpoint's run has: a run goes on with the split that it began with.
    func sides(of checkpoint: URL, _ log: ConsoleLog) -> Sides {
        guard let former, let saved = SavedExamples(of: checkpoint),
            !saved.are(training: sides.training, heldOut: sides.evaluation),
            saved.are(training: former.training, heldOut: former.evaluation)
        else { return sides }
        log.warn(
            "the run began with a split that has equal examples on both sides: it goes on with that split, and what is held out "
                + "was partly trained on")
        return former
    }
}
