import Foundation
import MenoTesting
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Disks that are full, fill up or may not be written to. They are file systems in memory, which root can make.
@Suite(.serialized, .enabled(if: MountedDisk.isPossible, "no file system can be mounted here")) struct DiskTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    private let keys = "max_steps: 8, learning_rate: 1.0e-2, eval_steps: 4, save_steps: 4"

    @Test func withoutSpaceForCheckpointsTrainingGoesOn() throws {
        let disk = try MountedDisk(tiny.folder.url.appending(path: "disk"), kibibytes: 3000)
        let trained = try tiny.train(keys, output: disk.url.path + "/run")
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(
            trained.errors.contains("step 4: saving failed, training continues")
                && trained.errors.contains("MiB are free"))
        // Not only then.
        #expect(trained.errors.contains("none will be saved"), "\(trained.errors)")
        let model = disk.url.appending(path: "run/model")
        #expect(FileManager.default.fileExists(atPath: model.appending(path: "adapter_model.safetensors").path))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: model.path).allSatisfy { !$0.contains("checkpoint") })
    }

    @Test func aDiskThatFillsUpLosesNoCheckpoint() throws {
        let disk = try MountedDisk(tiny.folder.url.appending(path: "disk"), kibibytes: 8000)
        let first = try tiny.train(keys, output: disk.url.path + "/run")
        #expect(first.status == 0, "\(first.errors)")
        // The run goes on for longer, and in its midst somebody else takes all that is left.
        let longer = keys.replacing("max_steps: 8", with: "max_steps: 200")
        let arguments = ["--resume", "auto", "--allow-changes"]
        let full = try tiny.train(longer, output: disk.url.path + "/run", arguments) { line in
            if line.contains("step 20/200") { disk.fill() }
        }
        #expect(full.status == 1, "\(full.errors)")
        #expect(full.errors.contains("saving failed, training continues"))
        #expect(full.errors.contains("the final adapter cannot be written") && full.errors.contains("--resume auto"))
        // What is whole stays whole, and with room again it goes on from there.
        disk.clear()
        let again = try tiny.train(longer, output: disk.url.path + "/run", arguments)
        #expect(again.status == 0 && again.errors.contains("step 200/200"), "\(again.errors)")
    }

    /// Lines that could not be written are missing, and counted; every other is whole.
    @Test func recordsStayReadableWhenADiskWasFull() throws {
        let disk = try MountedDisk(tiny.folder.url.appending(path: "disk"), kibibytes: 3000)
        let trained = try tiny.train(
            "max_steps: 600, save_strategy: \"no\", eval_strategy: \"no\"", output: disk.url.path + "/run"
        ) { line in
            if line.contains("step 20/600") { disk.fill() }
            if line.contains("step 300/600") { disk.clear() }
        }
        #expect(trained.status == 0, "\(trained.errors)")
        for name in ["metrics.jsonl", "events.jsonl"] {
            let file = disk.url.appending(path: "run/training_progress/\(name)")
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            #expect(lines.allSatisfy { (try? JSONSerialization.jsonObject(with: Data($0.utf8))) != nil }, "\(name)")
            #expect(lines.contains { $0.contains("could not be written here") } == (name == "events.jsonl"))
        }
    }

    @Test func whatCannotBeOverwrittenIsNamed() throws {
        // What is mounted there cannot be removed.
        let old = try MountedDisk(tiny.run.appending(path: "model/checkpoint-2"), kibibytes: 100)
        let refused = try tiny.train(keys, ["--overwrite"])
        #expect(refused.status == 65)
        #expect(refused.errors.contains(old.url.path) && refused.errors.contains("cannot be removed"))
    }

    /// The result could not be written after all the work.
    @Test func aModelFolderThatMayNotBeWrittenToIsNoticedAtOnce() throws {
        for folder in ["model", "training_progress"] {
            let disk = try MountedDisk(tiny.run.appending(path: folder), kibibytes: 100, isReadOnly: true)
            let refused = try tiny.train(keys)
            #expect(refused.status == 65 && refused.errors.contains("\(disk.url.path): cannot be written to"))
            #expect(!refused.errors.contains("loading"), "\(refused.errors)")
        }
    }

    @Test func aFolderThatMayNotBeWrittenToIsNamed() throws {
        let disk = try MountedDisk(tiny.folder.url.appending(path: "disk"), kibibytes: 1000, isReadOnly: true)
        let refused = try tiny.train(keys, output: disk.url.path + "/run")
        #expect(refused.status == 65)
        #expect(refused.errors.contains(disk.url.path) && refused.errors.contains("base_output_dir"))
    }
}

/// A file system in memory, of a size, which vanishes with this object.
final class MountedDisk: Sendable {
    let url: URL

    static let isPossible: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        return (try? MountedDisk(folder.url.appending(path: "disk"), kibibytes: 100)) != nil
    }()

    init(_ url: URL, kibibytes: Int, isReadOnly: Bool = false) throws {
        self.url = url
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        struct NotMounted: Error {}
        let options = "size=\(kibibytes)k" + (isReadOnly ? ",ro" : "")
        guard Self.run("/bin/mount", ["-t", "tmpfs", "-o", options, "tmpfs", url.path]) == 0 else { throw NotMounted() }
    }

    deinit { _ = Self.run("/bin/umount", ["-l", url.path]) }

    private var filler: URL { url.appending(path: "filler") }

    func fill() {
        let file = open(filler.path, O_WRONLY | O_CREAT, 0o600)
        defer { close(file) }
        let block = [UInt8](repeating: 1, count: 4096)
        while write(file, block, block.count) > 0 {}
    }

    func clear() { try? FileManager.default.removeItem(at: filler) }

    private static func run(_ program: String, _ arguments: [String]) -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }
}
