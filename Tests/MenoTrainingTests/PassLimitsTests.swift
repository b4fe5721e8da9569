import Foundation
import MenoModels
import Testing

@testable import MenoTraining

@Suite struct PassLimitsTests {
    private func sizes(_ longest: Int = 40, chosen: Int? = nil, preferred: Int = 512, inEvaluation: Int? = 2048)
        -> PassLimits.Sizes
    {
        PassLimits.Sizes(
            longest: longest, chosen: chosen, preferred: preferred, preferredInEvaluation: inEvaluation)
    }

    private func pass(_ lengths: [Int]) -> Pass {
        let tokens = lengths.reduce(0, +)
        return Pass(
            inputIDs: Array(repeating: 1, count: tokens), labels: Array(repeating: 1, count: tokens),
            layout: SequenceLayout(lengths: lengths))
    }

    @Test func settingsComeBeforeWhatIsPreferredAndNoExampleIsDivided() {
        #expect(sizes().training == 512)
        #expect(sizes(chosen: 256).training == 256)
        #expect(sizes(700).training == 700 && sizes(700, chosen: 256).training == 700)
        #expect(PassLimits().training(of: sizes()) == 512)
        #expect(PassLimits(training: 100).training(of: sizes(chosen: 256)) == 100)
    }

    /// Evaluations keep nothing for a backward pass.
    @Test func evaluationsHaveLargerPassesWhereNothingLimitsThem() {
        #expect(PassLimits().evaluation(of: sizes()) == 1024)
        #expect(PassLimits().evaluation(of: sizes(1500)) == 2048)
        #expect(PassLimits().evaluation(of: sizes(3000)) == 3000)
        // The settings, the memory or an accelerator has set the limit.
        #expect(PassLimits(training: 256).evaluation(of: sizes(chosen: 256)) == 256)
        #expect(PassLimits(training: 256).evaluation(of: sizes()) == 256)
        #expect(PassLimits().evaluation(of: sizes(inEvaluation: nil)) == 512)
        #expect(PassLimits(evaluation: 300).evaluation(of: sizes()) == 300)
        #expect(PassLimits(training: 200, evaluation: 300).evaluation(of: sizes()) == 200)
    }

    @Test func theLargestPassOfSeveralExamplesIsHalved() {
        var limits = PassLimits(training: 512)
        #expect(limits.halve(after: [pass([30, 20]), pass([90]), pass([40, 21])]) == 61)
        #expect(limits.training == 30)
        #expect(limits.halve(after: [pass([1, 1])]) == 2 && limits.training == 1)
        #expect(limits.halve(after: [pass([90]), pass([80])]) == nil && limits.training == 1)
    }

    /// The layout of `run_state.json` is that of version 1.
    @Test func theyAreSavedBesideTheProgress() throws {
        var progress = RunProgress()
        progress.stepsDone = 7
        progress.skippedSteps = 2
        progress.passLimits = PassLimits(training: 64)
        let state = RunState(settings: ["a": "b"], randomStates: ["cpu": Data([1, 2])], progress: progress)
        let data = try CheckpointStore.encoder.encode(state)
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(
            Set(json.keys) == [
                "version", "settings", "random_states", "step", "best", "log", "skipped_steps", "tokens_per_pass",
            ])
        #expect(json["step"] as? Int == 7 && json["tokens_per_pass"] as? Int == 64)
        progress.passLimits.evaluation = 32
        let limited = RunState(settings: [:], randomStates: [:], progress: progress)
        let read = try CheckpointStore.decoder.decode(
            RunState.self, from: CheckpointStore.encoder.encode(limited))
        #expect(read.progress.passLimits == PassLimits(training: 64, evaluation: 32))
        #expect(read.progress.stepsDone == 7 && read.progress.skippedSteps == 2)
    }
}
