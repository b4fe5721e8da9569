import Foundation
import MenoMetrics
import MenoReporting
import MenoTesting
import Testing

/// `metrics.jsonl` and `events.jsonl`.
@Suite struct RunFilesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func started(resumedAtStep: Int = 0) -> RunEvent {
        .started(
            .init(
                model: "m", architecture: "a", device: "cpu", dtype: "float32", trainSamples: 4, evaluationSamples: 1,
                totalSteps: 4, stepsPerEpoch: 4, trainedParameters: 1, totalParameters: 100,
                resumedAtStep: resumedAtStep))
    }

    private func step(_ step: Int, loss: Double = 2, seconds: Double = 1) -> RunEvent {
        .step(
            StepMetrics(
                step: step, epoch: Double(step) / 4, loss: loss, gradientNorm: 0.5, learningRate: 1e-4, tokens: 100,
                labels: 90, seconds: seconds))
    }

    @Test func everyEventIsALineOfJSONThatReadsBack() throws {
        let url = folder.url.appending(path: "events.jsonl")
        let events = [
            started(), step(1, loss: .infinity), .notice("二行\n目"),
            .finished(.init(reason: .completed, step: 1, seconds: 2)),
        ]
        let file = EventsFile(url)
        for event in events { try file.observe(event) }
        // A resumed run goes on in the file, a new one begins it again.
        let resumed = EventsFile(url)
        try resumed.observe(started(resumedAtStep: 1))
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        let read = {
            try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
                try decoder.decode(RunEvent.self, from: Data($0.utf8))
            }
        }
        #expect(try read() == events + [started(resumedAtStep: 1)])
        try EventsFile(url).observe(started())
        #expect(try read() == [started()])
        #expect(throws: (any Error).self) {
            try EventsFile(URL(filePath: "/nowhere/events.jsonl")).observe(started())
        }
    }

    @Test func aResumedMetricsFileHasTheBytesOfAnUnbrokenOne() throws {
        let (whole, cut) = (folder.url.appending(path: "whole.jsonl"), folder.url.appending(path: "cut.jsonl"))
        let unbroken = MetricsFile(whole)
        for event in [started(), step(1), step(2), step(3)] { try unbroken.observe(event) }
        let first = MetricsFile(cut)
        for event in [started(), step(1, seconds: 7)] { try first.observe(event) }
        let state = try first.state()
        for event in [step(2, loss: 9), step(3, loss: 9)] { try first.observe(event) }
        let second = MetricsFile(cut)
        try second.restore(state)
        for event in [started(resumedAtStep: 1), step(2), step(3)] { try second.observe(event) }
        #expect(try Data(contentsOf: cut) == Data(contentsOf: whole))
        // What was removed meanwhile does not stop the run.
        try FileManager.default.removeItem(at: cut)
        let third = MetricsFile(cut)
        try third.restore(state)
        for event in [started(resumedAtStep: 1), step(2)] { try third.observe(event) }
        #expect(try String(contentsOf: cut, encoding: .utf8).split(separator: "\n").count == 1)
    }
}
