import Foundation
import MenoConfiguration
import MenoData
import MenoMetrics
import MenoTesting
import Synchronization
import Testing

@testable import Meno

/// A run's result does not depend on where its examples lie.
@Suite(.serialized, .drawsRandomNumbers) struct PreparedDataTests {
    private let tiny = try! TinyModel()

    private enum Place: CaseIterable { case memory, disk, ahead }

    private final class Log: SessionLog {
        let notes = Mutex<[String]>([])
        func note(_ text: String) { notes.withLock { $0.append(text) } }
        func warn(_ text: String) {}
    }

    private final class Steps: RunObserver {
        var count = 0
        func observe(_ event: RunEvent) { if case .step = event { count += 1 } }
    }

    private func limits(_ place: Place) -> PreparationLimits {
        var limits = PreparationLimits()
        limits.cache = ExampleCache(tiny.folder.url.appending(path: "cache of \(place)"), limit: 1 << 30)
        limits.inMemory = place == .memory ? .max : 0
        limits.ahead = place == .ahead ? 0 : .max
        return limits
    }

    private func configuration(_ name: String, trainsOnAll: Bool) -> RunConfiguration {
        var configuration = RunConfiguration(
            model: tiny.model.path, data: tiny.data.path, output: tiny.folder.url.appending(path: name).path)
        configuration.model.device = .cpu
        configuration.model.dtype = .float32
        configuration.data.maxLength = 24
        configuration.data.trainFraction = trainsOnAll ? 1 : 0.8
        configuration.training.evaluationStrategy = trainsOnAll ? .no : .steps
        configuration.training.evaluationSteps = 4
        configuration.training.maxSteps = 12
        configuration.training.batchSize = 3
        configuration.training.gradientAccumulationSteps = 2
        configuration.training.learningRate = 1e-2
        configuration.training.loggingSteps = 1
        configuration.training.saveSteps = 100
        configuration.monitor.probing = .never
        return configuration
    }

    /// - Parameter stops: after how many steps the run is interrupted, and resumed again.
    private func run(
        _ name: String, _ place: Place, trainsOnAll: Bool, stops: [Int] = [], log: Log = Log(),
        _ change: (inout RunConfiguration) -> Void = { _ in }
    ) throws -> [Data] {
        var configuration = configuration(name, trainsOnAll: trainsOnAll)
        change(&configuration)
        for (turn, limit) in (stops + [.max]).enumerated() {
            let steps = Steps()
            let session = try TrainingSession(
                configuration, overwrites: false, resumption: turn > 0 ? .newest : .none, limits: limits(place),
                log: log, shouldStop: { steps.count >= limit })
            let outcome = try session.run(observers: [steps])
            #expect(outcome.reason == (limit == .max ? .completed : .interrupted))
        }
        let folder = URL(filePath: configuration.baseOutputDirectory)
        return try ["model/adapter_model.safetensors", "training_progress/metrics.jsonl"].map {
            try Data(contentsOf: folder.appending(path: $0))
        }
    }

    @Test(arguments: [false, true]) func theResultIsTheSameWhereverExamplesLie(_ trainsOnAll: Bool) throws {
        let expected = try run("memory", .memory, trainsOnAll: trainsOnAll)
        for (number, place) in [Place.disk, .ahead].enumerated() {
            let log = Log()
            #expect(try run("other\(number)", place, trainsOnAll: trainsOnAll, log: log) == expected)
            let notes = log.notes.withLock { $0.joined(separator: "\n") }
            let isAhead = place == .ahead && trainsOnAll
            #expect(notes.contains(isAhead ? "built as they are needed" : "are stored in"))
            // The reason is told where examples are not made ahead of use although there are many.
            #expect(
                notes.contains("data.train_fraction chooses held-out examples") == (place == .ahead && !trainsOnAll))
        }
        // The second start prepares nothing.
        let log = Log()
        #expect(try run("again", .disk, trainsOnAll: trainsOnAll, log: log) == expected)
        #expect(!log.notes.withLock { $0.contains { $0.hasPrefix("preparing") } })
    }

    @Test(arguments: [false, true]) func threeResumptionsInARowChangeNothing(_ isAhead: Bool) throws {
        let place = isAhead ? Place.ahead : .disk
        let expected = try run("whole", place, trainsOnAll: isAhead)
        #expect(try run("cut", place, trainsOnAll: isAhead, stops: [2, 5, 1]) == expected)
        // A run that was begun with its examples in memory is resumed with them on the disk.
        if !isAhead {
            let memory = try run("memory", .memory, trainsOnAll: false)
            #expect(memory == expected)
        }
    }

    @Test func blocksAndPacksShapeTheSteps() throws {
        let blocks = try run("blocks", .memory, trainsOnAll: false) { $0.data.textBlocks = true }
        #expect(try run("blocks on disk", .disk, trainsOnAll: false) { $0.data.textBlocks = true } == blocks)
        let packs = try run("packs", .memory, trainsOnAll: false) {
            $0.data.packing = .bestFit
            $0.data.maxLength = 64
        }
        let plain = try run("plain", .memory, trainsOnAll: false) { $0.data.maxLength = 64 }
        #expect(packs != plain)
        #expect(
            try run("packs cut", .disk, trainsOnAll: false, stops: [3]) {
                $0.data.packing = .bestFit
                $0.data.maxLength = 64
            } == packs)
    }

    @Test func aFileThatVanishesWhileARunGoesOnDoesNotEndIt() throws {
        for place in [Place.disk, .ahead] {
            let steps = Steps()
            let data = tiny.data.path
            let text = try Data(contentsOf: tiny.data)
            let session = try TrainingSession(
                configuration("vanishing \(place)", trainsOnAll: true), overwrites: false, limits: limits(place),
                log: Log(),
                shouldStop: {
                    if steps.count == 3 { try? FileManager.default.removeItem(atPath: data) }
                    return false
                })
            #expect(try session.run(observers: [steps]).step == 12)
            try text.write(to: tiny.data)
        }
    }
}
