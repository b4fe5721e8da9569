import Foundation
import MenoTesting
import Testing

/// Runs that an older version was killed in. The version at hand resumes them and comes to what the older one came to.
@Suite(.serialized) struct UpgradeTests {
    private let folder = try! TemporaryFolder()
    private var root: URL { folder.url.appending(path: "upgrade") }

    init() throws { try FileManager.default.copyItem(at: Fixtures.url("upgrade"), to: root) }

    /// LoRA on dialogues with `chat_template: auto`, and every weight on texts: the same to rounding on every processor, and
    /// the same bytes where the version at hand computes the same bytes from the start.
    @Test(arguments: ["chat", "full"]) func aRunOfAnOlderVersionIsResumed(_ name: String) throws {
        let run = try Run(root.appending(path: name))
        try run.resume(in: root)
        let (found, expected) = (try run.lines("training_progress"), try run.lines("expected"))
        for (line, other) in zip(found, expected) {
            for (key, value) in other { expectClose(line[key], value, "\(name) step \(other["step"]!): \(key)") }
        }
        let weights = name == "full" ? "model.safetensors" : "adapter_model.safetensors"
        let data = { (path: String) in try Data(contentsOf: run.url.appending(path: path)) }
        let (result, wanted) = (try data("model/\(weights)"), try data("expected/\(weights)"))
        #expect(result.count == wanted.count)
        for (value, other) in zip(Self.floats(result), Self.floats(wanted)) {
            try #require(abs(value - other) <= 2e-5 * max(1, abs(other)), "\(name): \(value) instead of \(other)")
        }

        // Unbroken, by the version at hand. Other processors round otherwise: then nothing is known of bytes.
        let fresh = try meno(in: root, ["train", "\(name)/run.yaml", "--set", "base_output_dir=fresh"])
        #expect(fresh.status == 0, "\(fresh.errors)")
        let unbroken = { (path: String) in try Data(contentsOf: root.appending(path: "fresh/\(path)")) }
        guard try unbroken("training_progress/metrics.jsonl").starts(with: run.known) else { return }
        for path in ["training_progress/metrics.jsonl", "model/\(weights)", "model/checkpoint-8/optimizer.safetensors"]
        {
            #expect(try data(path) == unbroken(path), "\(name): \(path)")
        }
    }

    /// Later versions may draw dropout otherwise: the data, the rates and the log go on all the same.
    @Test func aRunWithDropoutIsResumed() throws {
        let run = try Run(root.appending(path: "dropout"))
        try run.resume(in: root)
        for (line, other) in zip(try run.lines("training_progress"), try run.lines("expected")) {
            for key in ["epoch", "learning_rate", "tokens", "labels", "eval_tokens", "eval_samples"] {
                expectClose(line[key], other[key], "step \(other["step"]!): \(key)")
            }
        }
    }

    /// To the rounding of float32: a processor adds in the order that its vectors have. Gradients pass through more of it.
    private func expectClose(_ value: Double?, _ expected: Double?, _ place: String) {
        let tolerance = place.hasSuffix("grad_norm") ? 1e-5 : 1e-6
        guard let value, let expected else {
            #expect(value == expected, "\(place)")
            return
        }
        #expect(abs(value - expected) <= tolerance * max(1, abs(expected)), "\(place): \(value) instead of \(expected)")
    }

    /// The values behind a safetensors file's header, where all are float32.
    private static func floats(_ file: Data) -> [Float] {
        let header = file.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        return stride(from: 8 + header, to: file.count - 3, by: 4).map { start in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(file[file.startIndex + start + $1]) << (8 * $1) })
        }
    }

    /// A run that was killed in its fifth step, with a checkpoint of its fourth.
    private struct Run {
        let url: URL
        /// `metrics.jsonl` up to the checkpoint.
        let known: Data
        private let logBefore: [NSDictionary]

        init(_ url: URL) throws {
            self.url = url
            logBefore = try Self.log(url.appending(path: "model/checkpoint-4"))
            // The last line is of the fifth step, which no checkpoint has.
            let text = try String(contentsOf: url.appending(path: "training_progress/metrics.jsonl"), encoding: .utf8)
            known = Data(text.split(separator: "\n").dropLast().map { $0 + "\n" }.joined().utf8)
        }

        /// Resumes it, and compares what does not depend on what is computed.
        func resume(in root: URL) throws {
            let resumed = try meno(in: root, ["train", "\(url.lastPathComponent)/run.yaml", "--resume", "auto"])
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(resumed.errors.contains("model/checkpoint-4"), "\(resumed.errors)")
            #expect(resumed.errors.contains("step 5/8") && !resumed.errors.contains("step 4/8"), "\(resumed.errors)")
            let metrics = try Data(contentsOf: url.appending(path: "training_progress/metrics.jsonl"))
            #expect(metrics.starts(with: known))
            let steps = try lines("training_progress").map { $0["step"] }
            #expect(try steps == lines("expected").map { $0["step"] })
            let log = try Self.log(url.appending(path: "model/checkpoint-8"))
            #expect(Array(log.prefix(logBefore.count)) == logBefore && log.count == steps.count)
        }

        func lines(_ folder: String) throws -> [[String: Double]] {
            try String(contentsOf: url.appending(path: "\(folder)/metrics.jsonl"), encoding: .utf8)
                .split(separator: "\n").map { try JSONDecoder().decode([String: Double].self, from: Data($0.utf8)) }
        }

        private static func log(_ checkpoint: URL) throws -> [NSDictionary] {
            let data = try Data(contentsOf: checkpoint.appending(path: "trainer_state.json"))
            let state = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            return try #require(state?["log_history"] as? [NSDictionary])
        }
    }
}

/// Runs the program in a folder: a checkpoint's settings have the model's path, so that it must be a relative one here.
private func meno(in folder: URL, _ arguments: [String]) throws -> (status: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "meno")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(["OMP_NUM_THREADS": "1"]) { $1 }
    let file = folder.appending(path: "errors-\(UUID().uuidString).log")
    try Data().write(to: file)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: file)
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOf: file, encoding: .utf8))
}
