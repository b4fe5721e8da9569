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

    private func schedule(
        _ course: LearningRateSchedule.Course, warmup: Int, total: Int, peak: Double = 2e-4, minimumRatio: Double = 0
    ) -> LearningRateSchedule {
        var options = LearningRateSchedule.Options()
        options.minimumRatio = minimumRatio
        return LearningRateSchedule(
            peak: peak, course: course, options: options, warmupSteps: warmup, totalSteps: total)
    }

    /// Judged by the rates themselves: those of transformers' schedules in the same cases.
    @Test(arguments: LearningRateSchedule.Course.allCases)
    func aRunThatCanChangeNothingHasAFault(_ course: LearningRateSchedule.Course) {
        // It alone has no warm-up.
        let ignoresWarmup = course == .constant
        let one = schedule(course, warmup: 1, total: 1)
        #expect(one.fault() == (ignoresWarmup ? nil : .alwaysZero(steps: 1)))
        #expect(one.fault(from: 1) == nil)
        for warmup in [20, 21, 1000] {
            let long = schedule(course, warmup: warmup, total: 20)
            let fault = LearningRateSchedule.Fault.neverAtPeak(
                highest: long.rate(atStep: 19), warmupSteps: warmup, totalSteps: 20)
            #expect(long.fault() == (ignoresWarmup ? nil : fault), "\(warmup)")
        }
        for (warmup, total) in [(0, 1), (1, 2), (19, 20), (3, 20)] {
            let good = schedule(course, warmup: warmup, total: total)
            // Past the peak the rest of a run is fine, down to its last step.
            for start in 0...total { #expect(good.fault(from: start) == nil, "\(warmup) of \(total), from \(start)") }
        }
    }

    @Test func aRateOfZeroChangesNothing() {
        for course in LearningRateSchedule.Course.allCases where course != .polynomial {
            #expect(schedule(course, warmup: 2, total: 9, peak: 0).fault(from: 4) == .alwaysZero(steps: 5))
        }
        // A floor at the peak is reached by a warm-up of any length.
        #expect(schedule(.warmupStableDecay, warmup: 50, total: 9, minimumRatio: 1).fault() == nil)
        #expect(schedule(.warmupStableDecay, warmup: 1, total: 1, minimumRatio: 0.5).fault() != nil)
    }
}
