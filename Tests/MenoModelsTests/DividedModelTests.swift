import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// GGUF files that llama.cpp's `gguf-split` would write.
@Suite struct DividedModelTests {
    private let folder = try! TemporaryFolder()

    private func url(_ number: Int, of count: Int = 3) -> URL {
        folder.url.appending(path: "tiny-0000\(number)-of-0000\(count).gguf")
    }

    /// The first has all metadata and, as of llama.cpp's option, no tensors.
    private func divide(_ whole: GGUFFile, announced: Int? = nil) throws {
        let half = whole.tensors.count / 2
        let parts = [[], Array(whole.tensors[..<half]), Array(whole.tensors[half...])]
        for (index, tensors) in parts.enumerated() {
            var metadata: [(key: String, value: GGUFValue)] =
                index == 0 ? whole.metadata.keys.map { ($0, whole.metadata[$0]!) } : []
            metadata += [
                ("split.no", .uint16(UInt16(index))), ("split.count", .uint16(3)),
                ("split.tensors.count", .int32(Int32(announced ?? whole.tensors.count))),
            ]
            let writer = try GGUFWriter(
                to: url(index + 1), metadata: metadata, tensors: tensors.map { .init($0.name, $0.type, $0.shape) })
            for tensor in tensors {
                try writer.copy(tensor, of: whole, as: tensor.name)
            }
            try writer.finish(synchronize: false)
        }
    }

    @Test func theFirstPartIsTheModel() throws {
        let reference = try Reference("qwen3-tiny")
        let whole = try GGUFFile(contentsOf: reference.folder.appending(path: "model.gguf"))
        try divide(whole)
        let divided = try GGUFFile(contentsOf: url(1))
        #expect(divided.tensors.map(\.name) == whole.tensors.map(\.name))
        #expect(divided.metadata.keys == whole.metadata.keys)
        for tensor in whole.tensors {
            let bytes = try whole.withUnsafeBytes(of: tensor.name) { Array($0) }
            #expect(try divided.withUnsafeBytes(of: tensor.name) { Array($0) } == bytes, "\(tensor.name)")
        }
        // By its file and, where nothing else lies there, by its folder.
        let model = try ModelFiles(url(1)).load(dtype: .float32)
        #expect(try WeightFiles.open(folder.url).weights.count == whole.tensors.count)
        let ids = reference.sequences[1]
        try withoutGradient {
            let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
            #expect(try relativeError(logits.array(), reference.floats("logits.1")) < 1e-5)
        }
    }

    @Test func whatIsNotWholeIsRefused() throws {
        let whole = try GGUFFile(contentsOf: Fixtures.url("models/qwen3-tiny/model.gguf"))
        try divide(whole)
        let second = #expect(throws: FormatError.self) { try GGUFFile(contentsOf: url(2)) }
        #expect(second?.description.contains("tiny-00001-of-00003.gguf") == true)
        let (name, other) = (url(3).path, folder.url.appending(path: "elsewhere.gguf").path)
        try FileManager.default.moveItem(atPath: name, toPath: other)
        let missing = #expect(throws: FormatError.self) { try GGUFFile(contentsOf: url(1)) }
        #expect(missing?.code == .notFound && missing?.description.contains("tiny-00003-of-00003.gguf") == true)
        // Another part under this one's name.
        try FileManager.default.copyItem(at: url(2), to: url(3))
        #expect(throws: FormatError.self) { try GGUFFile(contentsOf: url(1)) }
        try FileManager.default.removeItem(at: url(3))
        try FileManager.default.moveItem(atPath: other, toPath: name)
        _ = try GGUFFile(contentsOf: url(1))
        // Renamed, the first does not say where the others are.
        try FileManager.default.moveItem(at: url(1), to: folder.url.appending(path: "renamed.gguf"))
        let renamed = #expect(throws: FormatError.self) {
            try GGUFFile(contentsOf: folder.url.appending(path: "renamed.gguf"))
        }
        #expect(renamed?.description.contains("one of 3 parts") == true)
    }

    @Test func aTensorThatNoPartHasIsMissed() throws {
        let whole = try GGUFFile(contentsOf: Fixtures.url("models/qwen3-tiny/model.gguf"))
        try divide(whole, announced: whole.tensors.count + 1)
        #expect(throws: FormatError.self) { try GGUFFile(contentsOf: url(1)) }
    }
}
