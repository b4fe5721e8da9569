import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoReporting

@Suite struct TensorBoardFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The check value of CRC-32C, and the mask that TensorFlow puts over it.
    @Test func checksumsAreCastagnolis() {
        #expect(RecordFraming.checksum(Data("123456789".utf8)) == 0xE306_9283)
        #expect(RecordFraming.checksum(Data()) == 0)
        #expect(RecordFraming.masked(Data()) == 0xA282_EAD8)
    }

    @Test func bytesAreThoseOfTheTensorboardPackage() throws {
        let file = try written(resumedAt: 299)
        #expect(try Data(contentsOf: file) == Data(contentsOf: Fixtures.url("reporting/events.tfevents")))
        #expect(file.lastPathComponent.hasPrefix("events.out.tfevents.1750000000."))
    }

    @Test func aNumberThatIsNoneIsLeftOut() throws {
        let observer = TensorBoardFile(in: folder.url)
        try observer.observe(.started(description(resumedAt: 0)))
        var metrics = step
        (metrics.loss, metrics.gradientNorm) = (.nan, .infinity)
        try observer.observe(.step(metrics))
        let data = try Data(contentsOf: #require(files.first))
        #expect(!data.contains(Data("train/loss".utf8)) && data.contains(Data("train/epoch".utf8)))
    }

    /// With the `tensorboard` package itself, where python3 (or `MENO_PYTHON`) has it.
    @Test(.enabled(if: python != nil, "no Python with tensorboard")) func tensorboardReadsIt() throws {
        _ = try written(resumedAt: 0)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            try #require(Self.python), "-c",
            """
            import sys
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
            events = EventAccumulator(sys.argv[1]).Reload()
            for tag in events.Tags()["scalars"]:
                for point in events.Scalars(tag): print(tag, point.step, round(point.value, 4))
            """, folder.url.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text.contains("train/loss 300 2.5\n") && text.contains("eval/perplexity 300 7.3891\n"))
        #expect(text.split(separator: "\n").count == 11)
    }

    private static let python: String? = {
        let candidates = [ProcessInfo.processInfo.environment["MENO_PYTHON"], "python3"].compactMap { $0 }
        return candidates.first { name in
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [name, "-c", "import tensorboard.backend.event_processing.event_accumulator"]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }()

    private var files: [URL] {
        ((try? FileManager.default.contentsOfDirectory(at: folder.url, includingPropertiesForKeys: nil)) ?? [])
    }

    private var step: StepMetrics {
        StepMetrics(
            step: 300, epoch: 1.5, loss: 2.5, gradientNorm: 1.25, learningRate: 2e-4, tokens: 200, labels: 180,
            seconds: 2)
    }

    private func description(resumedAt step: Int) -> RunDescription {
        RunDescription(
            model: "m", architecture: "a", device: "cpu", dtype: "float32", trainSamples: 1, evaluationSamples: 1,
            totalSteps: 300, stepsPerEpoch: 200, trainedParameters: 1, totalParameters: 2, resumedAtStep: step)
    }

    private func written(resumedAt start: Int) throws -> URL {
        let observer = TensorBoardFile(in: folder.url) { Date(timeIntervalSince1970: 1.75e9) }
        try observer.observe(.started(description(resumedAt: start)))
        try observer.observe(.step(step))
        try observer.observe(
            .evaluated(
                EvaluationMetrics(
                    step: 300, epoch: 1.5, loss: 2, tokenAccuracy: 0.5, completionLoss: nil, tokens: 10, samples: 2,
                    seconds: 3)))
        try observer.observe(
            .resources(
                ResourceUsage(
                    step: 300, resident: 1 << 30, peakResident: 1 << 30,
                    accelerators: [.init(index: 0, allocated: 1 << 29, reserved: 1 << 29, peakAllocated: 1 << 29)])))
        return try #require(files.first)
    }
}
