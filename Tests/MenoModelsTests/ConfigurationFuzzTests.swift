import Foundation
import MenoTesting
import Testing

@testable import MenoModels

/// Damaged configuration files are errors, never crashes.
@Suite struct ConfigurationFuzzTests {
    @Test(arguments: ["gemma3-tiny", "gemma2-tiny", "llama-tiny"])
    func mutatedModelConfigurationsNeverCrash(_ name: String) throws {
        let original = try Data(contentsOf: Fixtures.url("models/\(name)/config.json"))
        var accepted = 0
        try forEachMutation(of: original, named: "config.json", count: 4_000) { folder in
            if (try? DecoderConfiguration.read(huggingFace: folder.appending(path: "config.json"))) != nil {
                accepted += 1
            }
        }
        // Some damage does not matter, but most of it must be seen.
        #expect(accepted > 0 && accepted < 4_000)
    }

    @Test func mutatedAdapterConfigurationsNeverCrash() throws {
        let original = try Data(contentsOf: Fixtures.url("models/gemma3-tiny/adapter/adapter_config.json"))
        var accepted = 0
        try forEachMutation(of: original, named: LoRAFiles.configurationName, count: 4_000) { folder in
            if (try? LoRAFiles.settings(in: folder)) != nil { accepted += 1 }
        }
        #expect(accepted > 0 && accepted < 4_000)
    }

    private func forEachMutation(of data: Data, named name: String, count: Int, _ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "meno-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var generator = SeededGenerator(seed: 17)
        for _ in 0..<count {
            try Data(mutated(Array(data), using: &generator)).write(to: folder.appending(path: name))
            try body(folder)
        }
    }
}
