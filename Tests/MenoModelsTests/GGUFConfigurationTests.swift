import Foundation
import MenoFormats
import MenoTesting
import Testing

@testable import MenoModels

@Suite struct GGUFConfigurationTests {
    /// The metadata of a file without tensors.
    private func keys(type: String?, factors: [String: Float]) throws -> GGUFKeys {
        func bytes<Number>(_ number: Number) -> Data { withUnsafeBytes(of: number) { Data($0) } }
        func text(_ text: String) -> Data { bytes(UInt64(text.utf8.count)) + Data(text.utf8) }
        // Types 8 and 6: a string, a float32.
        var entries = [text("general.architecture") + bytes(UInt32(8)) + text("llama")]
        if let type { entries.append(text("llama.rope.scaling.type") + bytes(UInt32(8)) + text(type)) }
        for (key, factor) in factors { entries.append(text("llama.\(key)") + bytes(UInt32(6)) + bytes(factor)) }
        let header = Data("GGUF".utf8) + bytes(UInt32(3)) + bytes(UInt64(0)) + bytes(UInt64(entries.count))
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "keys.gguf")
        try entries.reduce(header, +).write(to: url)
        return try GGUFKeys(GGUFFile(contentsOf: url), path: url.path)
    }

    /// As llama.cpp reads them: linear where no type is named.
    @Test func rotaryScalingIsComputedOrRefused() throws {
        #expect(try keys(type: nil, factors: [:]).rotaryScaling() == .none)
        #expect(try keys(type: "none", factors: ["rope.scaling.factor": 4]).rotaryScaling() == .none)
        #expect(try keys(type: "linear", factors: ["rope.scaling.factor": 4]).rotaryScaling() == .linear(factor: 4))
        #expect(try keys(type: nil, factors: ["rope.scale_linear": 2]).rotaryScaling() == .linear(factor: 2))
        let error = #expect(throws: ModelError.self) {
            try keys(type: "longrope", factors: ["rope.scaling.factor": 4]).rotaryScaling()
        }
        #expect(error?.message.contains("\"longrope\" is not supported") == true)
    }
}
