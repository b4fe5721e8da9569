import Foundation
import MenoTesting
import MenoTraining
import Testing

/// Against transformers' schedules (`Tests/Reference/make_training.py`).
@Suite struct ScheduleTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var warmup: Int
        var total: Int
        var options: Options
        var rates: [Double]
        var testDescription: String { "\(name), \(warmup) of \(total)" }
    }

    struct Options: Decodable, Sendable {
        var numCycles: Double?
        var power: Double?
        var lrEnd: Double?
        var timescale: Int?
        var numDecaySteps: Int?
        var minLrRatio: Double?
        var decayType: String?
    }

    static let cases: [Case] = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let data = try? Data(contentsOf: Fixtures.url("training/schedules.json"))
        return data.flatMap { try? decoder.decode([Case].self, from: $0) } ?? []
    }()

    @Test func thereIsEveryCourse() {
        #expect(Set(Self.cases.map(\.name)) == Set(LearningRateSchedule.Course.allCases.map(\.rawValue)))
    }

    @Test(arguments: cases) func ratesEqualTransformers(_ test: Case) throws {
        var options = LearningRateSchedule.Options()
        options.cycles = test.options.numCycles ?? options.cycles
        options.power = test.options.power ?? options.power
        options.endRate = test.options.lrEnd ?? options.endRate
        options.timescale = test.options.timescale
        options.decaySteps = test.options.numDecaySteps
        options.minimumRatio = test.options.minLrRatio ?? options.minimumRatio
        options.decayShape = try test.options.decayType.map { try #require(.init(rawValue: $0)) } ?? options.decayShape
        let schedule = LearningRateSchedule(
            peak: 2e-4, course: try #require(.init(rawValue: test.name)), options: options, warmupSteps: test.warmup,
            totalSteps: test.total)
        for (step, rate) in test.rates.enumerated() {
            #expect(abs(schedule.rate(atStep: step) - rate) <= 1e-12 * 2e-4 + 1e-18, "step \(step)")
        }
    }
}
