import Foundation
import MenoTesting
import Testing

@testable import MenoModels

/// Damaged configuration files are errors, never crashes.
@Suite struct ConfigurationFuzzTests {
    @Test(arguments: ["gemma3-tiny", "gemma2-tiny", "llama-tiny"])
    func mutatedModelConfigurationsNeverCrash(_ name: String) throws { try mutate(name, count: 4_000) }

    /// Those with keys of their own.
    @Test(arguments: ["phi3-tiny", "olmo3-tiny", "ministral3-tiny", "smollm3-tiny", "exaone4-windows", "hunyuan-tiny"])
    func mutatedConfigurationsOfFamiliesNeverCrash(_ name: String) throws { try mutate(name, count: 500) }

    private func mutate(_ name: String, count: Int) throws {
        let original = try Data(contentsOf: Fixtures.url("models/\(name)/config.json"))
        var accepted = 0
        try forEachMutation(of: original, named: "config.json", count: count) { folder in
            if (try? DecoderConfiguration.read(huggingFace: folder.appending(path: "config.json"))) != nil {
                accepted += 1
            }
        }
        // Some damage does not matter, but most of it must be seen.
        #expect(accepted > 0 && accepted < count)
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
