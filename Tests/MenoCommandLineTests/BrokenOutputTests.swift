import Foundation
import MenoTesting
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Terminals that are closed, readers that go away, and disks that are full of what the program tells.
@Suite(.serialized) struct BrokenOutputTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    private let keys = "max_steps: 4, eval_steps: 2, save_steps: 2"

    private func hasFile(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: tiny.run.appending(path: path).path)
    }

    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "there is no /dev/full here"),
        arguments: ["2>/dev/full", "2>&1 | true"])
    func aRunWhoseProgressCannotBeWrittenGoesOn(_ redirection: String) throws {
        _ = try tiny.train(keys, redirection: redirection)
        #expect(hasFile("model/checkpoint-4/manifest.json") && hasFile("model/adapter_model.safetensors"))
        #expect(hasFile("training_progress/report.html"))
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "there is no /dev/full here"))
    func aResultThatCannotBeWrittenIsAFailure() throws {
        for arguments in [["keys"], ["tokenize", "--model", tiny.model.path, "--text", "a"]] {
            let result = try meno(arguments, redirection: ">/dev/full")
            #expect(result.status == 1 && result.errors.contains("standard output cannot be written"), "\(arguments)")
        }
    }

    @Test func aClosedTerminalSavesACheckpoint() throws {
        try tiny.write("max_steps: 100000")
        let process = try start(["train", tiny.file.path])
        let errors = try #require(process.standardError as? Pipe).fileHandleForReading
        var seen = ""
        while !seen.contains("step 2/") {
            let part = errors.availableData
            guard !part.isEmpty else { break }
            seen += String(decoding: part, as: UTF8.self)
        }
        // The shell and the system both send it.
        for _ in 0..<2 { kill(process.processIdentifier, SIGHUP) }
        _ = errors.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        let names = try FileManager.default.contentsOfDirectory(atPath: tiny.run.appending(path: "model").path)
        #expect(names.contains { $0.hasPrefix("checkpoint-") })
    }
}
