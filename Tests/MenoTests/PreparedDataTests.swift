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
        let warnings = Mutex<[String]>([])
        func note(_ text: String) { notes.withLock { $0.append(text) } }
        func warn(_ text: String) { warnings.withLock { $0.append(text) } }
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
        _ name: String, _ place: Place, trainsOnAll: Bool, stops: [Int] = [], workers: Int? = nil, log: Log = Log(),
        _ change: (inout RunConfiguration) -> Void = { _ in }
    ) throws -> [Data] {
        var configuration = configuration(name, trainsOnAll: trainsOnAll)
        change(&configuration)
        for (turn, limit) in (stops + [.max]).enumerated() {
            let steps = Steps()
            var limits = limits(place)
            if let workers { limits.workers = workers }
            let session = try TrainingSession(
                configuration, overwrites: false, resumption: turn > 0 ? .newest : .none, limits: limits,
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

    /// Files of texts, beside those of the tiny model.
    private func write(_ name: String, _ texts: some Sequence<String>) throws -> String {
        let url = tiny.folder.url.appending(path: name)
        try Data(texts.map { "{\"text\": \"\($0)\"}\n" }.joined().utf8).write(to: url)
        return url.path
    }

    private static let words = ["virtue", "courage", "justice", "piety", "wisdom", "beauty", "truth", "measure"]

    @Test func sourcesAreMixedTheSameForAnyNumberOfWorkersAndAfterResumptions() throws {
        let asked = try write("asked.jsonl", (0..<60).map { "what is \(Self.words[$0 % 8]) of \(Self.words[$0 / 8])" })
        let told = try write("told.jsonl", (0..<60).map { "\(Self.words[$0 % 8]) is like \(Self.words[$0 / 8])" })
        let change = { (configuration: inout RunConfiguration) in
            configuration.data.path = ""
            configuration.data.sources = [
                DataSource([asked], weight: 3), DataSource([told], weight: 1, maxSamples: 9),
                DataSource([tiny.data.path], weight: 2),
            ]
        }
        let log = Log()
        let expected = try run("mixed", .memory, trainsOnAll: false, workers: 1, log: log, change)
        for (number, workers) in [2, 7].enumerated() {
            #expect(
                try run("mixed\(number)", .disk, trainsOnAll: false, workers: workers, change) == expected,
                "\(workers) workers")
            // Prepared once more, not taken from the cache.
            try FileManager.default.removeItem(at: limits(.disk).cache.folder)
        }
        #expect(try run("mixed and cut", .disk, trainsOnAll: false, stops: [2, 3, 4], workers: 3, change) == expected)
        let other = try run("other weights", .memory, trainsOnAll: false) {
            change(&$0)
            $0.data.sources[0].weight = 1
        }
        #expect(other != expected)
        // What the report shows of them.
        let summary = try summary("mixed")
        let records = try #require(summary.records)
        #expect(
            Set(records.sources.map { URL(filePath: $0.name).lastPathComponent }) == [
                "asked.jsonl", "told.jsonl", "data.jsonl",
            ])
        #expect(records.sources.first { $0.name == told }.map { $0.records <= 9 } == true)
        #expect(records.shapes.map(\.name) == ["text"] && records.languages.map(\.name) == ["Latin script"])
        #expect(try self.summary("mixed and cut").records == records)
    }

    /// What a run wrote of its data.
    private func summary(_ name: String) throws -> RunDataSummary {
        let file = tiny.folder.url.appending(path: "\(name)/training_progress/\(RunLayout.dataSummaryName)")
        return try JSONDecoder.reproducible(snakeCase: true).decode(RunDataSummary.self, from: Data(contentsOf: file))
    }

    @Test func anEvaluationFileEvaluatesAndLeaksAreTold() throws {
        let lines = try String(contentsOf: tiny.data, encoding: .utf8).split(separator: "\n")
        let other = try write(
            "held.jsonl", (0..<12).map { "what is \(Self.words[$0 % 8]) and \(Self.words[($0 + 3) % 8])" })
        let held = try String(contentsOfFile: other, encoding: .utf8)
        try Data((held + lines[3] + "\n" + lines[5] + "\n").utf8).write(to: URL(filePath: other))
        let change = { (configuration: inout RunConfiguration) in
            configuration.data.evaluationPaths = [other]
            configuration.data.trainFraction = 1
            configuration.training.evaluationStrategy = .steps
        }
        let log = Log()
        let expected = try run("eval", .memory, trainsOnAll: false, log: log, change)
        let warnings = log.warnings.withLock { $0 }
        #expect(
            warnings.contains { $0.contains("of 14 examples of `data.eval_path` are also in the training data") },
            "\(warnings)")
        #expect(warnings.contains { $0.hasPrefix("2 of 14") && $0.contains("the first: line 13)") }, "\(warnings)")
        let metrics = String(decoding: expected[1], as: UTF8.self)
        #expect(metrics.contains("eval_loss") && metrics.contains("\"eval_samples\":14"))
        #expect(try run("eval on disk", .disk, trainsOnAll: false, stops: [3, 2, 1], change) == expected)
        // Without leaks there is no warning.
        try Data(held.utf8).write(to: URL(filePath: other))
        let quiet = Log()
        _ = try run("no leak", .memory, trainsOnAll: false, log: quiet, change)
        #expect(quiet.warnings.withLock { !$0.contains { $0.contains("also in the training data") } })
        #expect(try summary("no leak").evaluationSamples == 12 && summary("no leak").trainSamples == 40)
    }

    @Test func aFileThatGrowsOrIsOverwrittenWhileARunGoesOn() throws {
        let text = try Data(contentsOf: tiny.data)
        for (place, isOverwritten) in [(Place.disk, false), (.ahead, false), (.disk, true), (.ahead, true)] {
            let steps = Steps()
            let handle = try FileHandle(forWritingTo: tiny.data)
            let session = try TrainingSession(
                configuration("growing \(place) \(isOverwritten)", trainsOnAll: true), overwrites: false,
                limits: limits(place), log: Log(),
                shouldStop: {
                    guard steps.count == 3 else { return false }
                    try? handle.seek(toOffset: isOverwritten ? 0 : UInt64(text.count))
                    let size = isOverwritten ? text.count : 100
                    try? handle.write(contentsOf: Data(repeating: UInt8(ascii: "x"), count: size))
                    return false
                })
            if place == .ahead, isOverwritten {
                let error = #expect(throws: DataError.self) { try session.run(observers: [steps]) }
                #expect(error?.code == .changed && error?.place == tiny.data.path)
                #expect(error?.message.contains("changed while the run was using it") == true)
            } else {
                #expect(try session.run(observers: [steps]).step == 12)
            }
            try text.write(to: tiny.data)
        }
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
