internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoTraining

extension ExampleSides {
    /// - Throws: ``ConfigurationError`` where no example is left to train on.
    init(_ examples: [Example], _ data: RunConfiguration.Data) throws {
        self.init(
            examples, trainFraction: data.trainFraction, limit: data.maxEvaluationSamples, seed: UInt64(data.seed),
            shuffles: data.shuffle)
        guard !current.training.isEmpty else {
            throw ConfigurationError(
                .invalid, at: "data.train_fraction",
                "\(data.trainFraction) of \(examples.count) examples leaves none to train on.",
                advice: "Give a larger fraction, or more records.")
        }
    }

    /// The sides of a run that resumes from a checkpoint.
    func sides(of checkpoint: URL, _ log: any SessionLog) -> Sides {
        let (sides, isFormer) = sides(of: checkpoint)
        if isFormer {
            log.warn(
                "this run began before equal examples were kept on one side of the split. It keeps its split: some of the "
                    + "held-out examples are trained on as well")
        }
        return sides
    }
}
