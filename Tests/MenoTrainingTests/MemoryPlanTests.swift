import Foundation
import MenoMetrics
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

@Suite(.drawsRandomNumbers) struct MemoryPlanTests {
    private func plan(available: Int?, length: Int = 100) -> MemoryPlan {
        MemoryPlan(
            resident: 1000 << 20, available: available, exampleLength: length, fixedBytes: 100 << 20,
            bytesPerExample: 50 << 20, trainingSecondsPerToken: 0, evaluationSecondsPerToken: 0,
            preferredTokens: 2048)
    }

    @Test func asManyTokensAsMemoryAllows() throws {
        #expect(try plan(available: nil).tokensPerPass() == 2048)
        #expect(try plan(available: 100 << 30).tokensPerPass() == 2048)
        // 90 % of 500 MiB without the 100 that every pass takes hold seven examples of 50.
        #expect(try plan(available: 500 << 20).tokensPerPass() == 700)
        #expect(plan(available: nil).peak(tokens: 700) == 1450 << 20)
        // What is preferred is no multiple of the examples that fit.
        #expect(try plan(available: 200 << 20, length: 1500).tokensPerPass() == 1500)
        // An example longer than what is preferred goes alone.
        #expect(try plan(available: 100 << 30, length: 5000).tokensPerPass() == 5000)
        let error = #expect(throws: TrainingError.self) { try plan(available: 120 << 20).tokensPerPass() }
        #expect(error?.code == .outOfMemory && error?.settings.entries.first?.setting == .gradientCheckpointing)
    }

    @Test func asFewLayersAreCheckpointedAsMemoryAsksFor() {
        let bound = MemoryPlan.Bound(layerCount: 10, layer: 100, rest: 50)
        #expect(bound.bytes(checkpointed: 0) == 1050)
        // One of those that are computed again has its inner values meanwhile.
        #expect(bound.bytes(checkpointed: 1) == 1050 && bound.bytes(checkpointed: 10) == 150)
        #expect(bound.checkpointedLayers(below: 1051) == 0)
        #expect(bound.checkpointedLayers(below: 1050) == 2)
        #expect(bound.checkpointedLayers(below: 400) == 8)
        #expect(bound.checkpointedLayers(below: 100) == 10)
    }

    /// Measuring leaves parameters, gradients and random numbers as they were.
    @Test func measuringChangesNothing() throws {
        let model = try TinyRun.model()
        try RandomGenerator.seed(5)
        let state = try RandomGenerator.state()
        let before = try model.trainedValues().entries.map(\.values)
        let plan = try #require(try MemoryPlan.measure(model, longest: 40, preferredTokens: 512))
        #expect(plan.resident > 0 && plan.trainingSecondsPerToken > 0)
        #expect(try RandomGenerator.state() == state)
        #expect(try model.trainedValues().entries.map(\.values) == before)
        #expect(try model.trainedParameters.allSatisfy { try $0.tensor.gradient() == nil })
    }

    @Test func aForecastCountsWhatTheRunDoes() throws {
        let events = Recorder()
        let loop = try TinyRun.loop(observers: [events]) { $0.tokensPerPass = 30 }
        let forecast = try loop.forecast()
        try loop.run(model: "tiny")
        #expect(forecast.steps == events.steps.count)
        #expect(forecast.tokens == events.steps.reduce(0) { $0 + $1.tokens })
        #expect(forecast.evaluations == events.evaluations.count)
        #expect(forecast.evaluationTokens == events.evaluations.count * 48)
        #expect(forecast.largestPass == 24 && forecast.memory.fits)
    }

    #if os(Linux)
        @Test func theSystemTellsWhatIsAvailable() throws {
            let available = try #require(MemoryLimit.available(on: .cpu))
            #expect(available > 1 << 20 && available < 1 << 50)
        }
    #endif
}
