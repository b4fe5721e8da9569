import Foundation
import MenoTensor
import MenoTesting
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Runs that several processes make together.
@Suite(.serialized) struct ProcessesTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    private static let keys =
        "max_steps: 6, learning_rate: 5.0e-3, eval_steps: 3, save_steps: 3, bf16: false, logical_shards: 2"
    private static let lora = "{r: 4, lora_alpha: 8, lora_dropout: 0.1, target_modules: all-linear}"

    /// What a run leaves that must not depend on who made it.
    private func results() throws -> [Data] {
        try [
            "model/adapter_model.safetensors", "model/checkpoint-6/optimizer.safetensors",
            "model/checkpoint-6/run_state.json", "model/checkpoint-6/trainer_state.json",
            "training_progress/metrics.jsonl",
        ].map { try Data(contentsOf: tiny.run.appending(path: $0)) }
    }

    private func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: tiny.run.path).sorted()
            .filter { !$0.hasPrefix("logs/training_log_") }
    }

    private func train(
        _ arguments: String..., onLine: ((Substring) -> Void)? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        try tiny.train(Self.keys, lora: Self.lora, arguments, onLine: onLine)
    }

    @Test func twoProcessesLeaveWhatOneDoes() throws {
        let alone = try train()
        #expect(alone.status == 0, "\(alone.errors)")
        let (expected, files) = (try results(), try files())
        var listening: [String] = []
        let together = try train("--overwrite", "--processes", "2") { line in
            // They have met, and load the model now.
            guard line.contains("training with 2 processes"), listening.isEmpty else { return }
            listening = Self.listeningAddresses()
        }
        #expect(together.status == 0, "\(together.errors)")
        #expect(try results() == expected && self.files() == files)
        // Each line is said once.
        #expect(together.errors.split(separator: "\n").count { $0.contains("step 6/6") } == 1)
        #if os(Linux)
            #expect(!listening.isEmpty && listening.allSatisfy { $0 == "0100007F" }, "\(listening)")
        #endif
    }

    /// The addresses that processes below this one listen on, as the kernel writes them.
    private static func listeningAddresses() -> [String] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap(Int.init) ?? []
        let ours = processes.filter { process in
            let environment = (try? Data(contentsOf: URL(filePath: "/proc/\(process)/environ"))) ?? Data()
            return environment.split(separator: 0).contains(Data("MENO_STARTED_LOCALLY=1".utf8))
        }
        let sockets = Set(
            ours.flatMap { process -> [String] in
                let folder = "/proc/\(process)/fd"
                let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
                return files.compactMap {
                    try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
                }
            })
        return ["tcp", "tcp6"].flatMap { table -> [String] in
            let text = (try? String(contentsOfFile: "/proc/net/\(table)", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").dropFirst().compactMap { line in
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[3] == "0A", sockets.contains("socket:[\(fields[9])]") else { return nil }
                return String(fields[1].split(separator: ":")[0])
            }
        }
    }

    @Test func aKilledProcessEndsTheOthersAndTheRunIsResumedByOne() throws {
        #expect(try train().status == 0)
        let expected = try results()
        var second: pid_t?
        var killed: Date?
        let broken = try train("--overwrite", "--processes", "2") { line in
            if let list = line.split(separator: " processes: ").last, line.contains(" processes: ") {
                second = list.split(separator: ", ").last.flatMap { pid_t($0) }
            }
            if line.contains("step 4/6"), killed == nil, let second {
                kill(second, SIGKILL)
                killed = Date()
            }
        }
        let ended = Date()
        #expect(broken.status == 1, "\(broken.errors)")
        #expect(broken.errors.contains("rank 1"), "\(broken.errors)")
        #expect(ended.timeIntervalSince(try #require(killed)) < 30)
        let resumed = try train("--resume", "auto")
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try results() == expected)
    }

    @Test func aSignalIsPassedOnAndAnyNumberResumes() throws {
        let keys = Self.keys.replacing("max_steps: 6", with: "max_steps: 24")
        let alone = try tiny.train(keys, lora: Self.lora)
        #expect(alone.status == 0, "\(alone.errors)")
        let adapter = { try Data(contentsOf: tiny.run.appending(path: "model/adapter_model.safetensors")) }
        let expected = try adapter()
        let process = try start(["train", tiny.file.path, "--overwrite", "--processes", "2"])
        let errors = try #require(process.standardError as? Pipe).fileHandleForReading
        var text = ""
        while case let part = errors.availableData, !part.isEmpty {
            let isNew = !text.contains("step 4/24")
            text += String(decoding: part, as: UTF8.self)
            if isNew, text.contains("step 4/24") { kill(process.processIdentifier, SIGTERM) }
        }
        process.waitUntilExit()
        #expect(process.terminationStatus == 130, "\(text)")
        let resumed = try tiny.train(keys, lora: Self.lora, ["--resume", "auto", "--processes", "3"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try adapter() == expected)
    }

    @Test func processesOfDifferentRunsAreRefused() throws {
        try tiny.write(Self.keys, lora: Self.lora)
        let port = try LoopbackPort.free()
        let results = try Ranks.run(2) { [file = tiny.file] rank, _ in
            try meno(
                ["train", file.path] + (rank == 1 ? ["--set", "training.learning_rate=1.0e-3"] : []), threads: 1,
                environment: [
                    "RANK": "\(rank)", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)",
                    "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "\(rank)",
                ])
        }
        for result in results {
            #expect(
                result.status == 65 && result.errors.contains("rank 1: differs from rank 0")
                    && result.errors.contains("learning_rate"), "\(result.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: tiny.run.path))
    }

    @Test func whatIsMissingInTheEnvironmentIsNamed() throws {
        try tiny.write(Self.keys, lora: Self.lora)
        let cases = [
            (["RANK": "0"], "WORLD_SIZE"), (["RANK": "2", "WORLD_SIZE": "2"], "RANK: is 2; expected from 0 to 1"),
            (["RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"], "MASTER_PORT"),
        ]
        for (environment, message) in cases {
            let result = try meno(["train", tiny.file.path], environment: environment)
            #expect(result.status == 65 && result.errors.contains(message), "\(result.errors)")
        }
        let twice = try meno(
            ["train", tiny.file.path, "--processes", "2"], environment: ["RANK": "0", "WORLD_SIZE": "2"])
        #expect(twice.status == 65 && twice.errors.contains("RANK is set"), "\(twice.errors)")
    }
}
