import ArgumentParser
import Foundation
import Meno
import MenoConfiguration
import MenoMetrics
import MenoTraining

struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forecasts the memory, time and disk space of a run without training.",
        discussion:
            "Loads the model and the data, and measures two passes, one of a step and one of an answer. The exit code is 1 if the run does not fit."
    )

    @Argument(help: "The configuration, a RUN.yaml.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Option(
        name: .customLong("set"), help: ArgumentHelp("Overrides a key. Can be repeated.", valueName: "key.path=value"))
    var overrides: [String] = []
    @Option(help: "The number of processes that train together on this machine.") var processes = 1
    @Flag(help: "Print the result as a JSON object to standard output.") var json = false

    func run() throws {
        try reportingErrors(ConsoleLog(settingNames: .keys)) {
            let configuration = try RunConfiguration.read(URL(filePath: file), overrides: overrides)
            guard processes >= 1 else { throw ValidationError("--processes is \(processes); expected 1 or more.") }
            Interruption.outliveReaders()
            // Each process plans with its share of the memory.
            MemoryLimit.share(among: processes)
            let session = try TrainingSession(
                configuration, overwrites: true, trains: false, log: ConsoleLog(), shouldStop: { false })
            let forecast = try session.loop().forecast()
            let probeSeconds = try session.probeSeconds(forecast)
            let free = try? URL(filePath: configuration.baseOutputDirectory).nearestExistingFolder
                .resourceValues(forKeys: [.volumeAvailableCapacityKey]).volumeAvailableCapacity
            let fits = forecast.memory.fits && free.map { forecast.disk.total <= $0 } ?? true
            if json {
                print(try Report(forecast: forecast, probeSeconds: probeSeconds, freeDisk: free, fits: fits).json)
            } else {
                describe(forecast, probeSeconds: probeSeconds, freeDisk: free)
            }
            if !fits { throw ExitCode(Status.failed) }
        }
    }

    private struct Report: Encodable {
        var forecast: RunForecast
        var probeSeconds: Double
        var freeDisk: Int?
        var fits: Bool

        var json: String {
            get throws {
                String(decoding: try JSONEncoder.reproducible(snakeCase: true).encode(self), as: UTF8.self)
            }
        }
    }

    private func describe(_ forecast: RunForecast, probeSeconds: Double, freeDisk: Int?) {
        let memory = forecast.memory
        let available = memory.available.map { ", \(mebibytes($0 + memory.resident)) available" } ?? ""
        print(
            """
            steps     \(forecast.steps), \(forecast.stepsPerEpoch) an epoch over \(forecast.examples) examples; \
            \(forecast.evaluations) evaluations
            tokens    \(forecast.tokens) in \(forecast.passes) passes of up to \(forecast.largestPass)
            trained   \(forecast.trainedParameters) of \(forecast.totalParameters) parameters
            memory    \(mebibytes(memory.peak)) at its height, \(mebibytes(memory.resident)) of them before the first \
            step\(available)
            time      \(DurationText.english(forecast.trainingSeconds)) of training, \
            \(DurationText.english(forecast.evaluationSeconds)) of evaluation\
            \(probeSeconds > 0 ? ", \(DurationText.english(probeSeconds)) of probe questions" : "")
            disk      \(mebibytes(forecast.disk.total)): \(forecast.disk.checkpoints) checkpoints of \
            \(mebibytes(forecast.disk.checkpoint)) and one that is written\(freeDisk.map { "; \(mebibytes($0)) are free" } ?? "")
            """)
        if processes > 1 {
            let each = Double(forecast.passes) / Double(max(1, forecast.steps))
            print(
                "processes \(processes), each with the memory above; a step has \(String(format: "%.1f", each)) passes to divide"
                    + (each < Double(processes) ? ": training.logical_shards: \(processes) makes more of them" : ""))
        }
        if !memory.fits {
            print(
                "It does not fit in memory: lower training.tokens_per_pass or data.max_length, or set gradient_checkpointing: always."
            )
        } else if let freeDisk, forecast.disk.total > freeDisk {
            print("It does not fit on disk: lower training.save_total_limit, or choose another base_output_dir.")
        } else {
            print("It fits.")
        }
    }

    private func mebibytes(_ bytes: Int) -> String { "\((bytes + (1 << 19)) >> 20) MiB" }
}

extension URL {
    /// This folder, or its nearest existing ancestor.
    fileprivate var nearestExistingFolder: URL {
        var url = standardizedFileURL
        while url.path != "/", !FileManager.default.fileExists(atPath: url.path) { url.deleteLastPathComponent() }
        return url
    }
}
