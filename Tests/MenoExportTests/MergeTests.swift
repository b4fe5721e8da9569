import Foundation
import MenoExport
import MenoFormats
import MenoModels
import MenoTensor
import MenoTesting
import Testing

/// What PEFT computes with an adapter must be computed without it once it is merged (`make_models.py`, `make_adapters.py`).
@Suite struct MergeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var model: String
        var adapter: String
        var expected: String
        var prefix: String
        var testDescription: String { "\(adapter) on \(model)" }
    }

    static let plain = ["gemma3-tiny", "gemma2-tiny", "llama-tiny", "llama-untied"].map {
        Case(model: $0, adapter: "models/\($0)/adapter", expected: "models/\($0)", prefix: "adapted_logits")
    }
    static let families = Fixtures.families.map {
        Case(model: $0, adapter: "models/\($0)/adapter", expected: "models/\($0)", prefix: "adapted_logits")
    }
    static let kinds = ["dora", "patterns", "modules-untied"].map {
        Case(model: "", adapter: "adapters/\($0)", expected: "adapters/\($0)", prefix: "logits")
    }

    private struct Expected: Decodable {
        var base: String?
        var sequences: [[Int32]]
    }

    @Test(arguments: plain + kinds + families) func logitsOfTheMergedFolderEqualPEFT(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let (model, expected) = try open(test)
        let merged = MergedModel(model, try StoredAdapter(Fixtures.url(test.adapter), for: model))
        let stage = try ExportStage(for: folder.url.appending(path: "out"))
        // Small shards, so that there are several.
        _ = try HuggingFaceExport(merged, elementType: .float32, shardLimit: 4000).write(to: stage)
        try stage.finish()
        let loaded = try ModelFiles(stage.target).load(dtype: .float32)
        #expect(loaded.configuration.tiesEmbeddings == model.configuration.tiesEmbeddings)
        try compare(loaded, test, expected)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["out"])
    }

    @Test(arguments: plain + kinds) func logitsOfTheGGUFFileEqualPEFT(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let (model, expected) = try open(test)
        let merged = MergedModel(model, try StoredAdapter(Fixtures.url(test.adapter), for: model))
        let url = folder.url.appending(path: "out.gguf")
        _ = try GGUFExport(merged, fileType: .F32, tokenizer: [], name: "test").write(to: url)
        try compare(ModelFiles(url).load(dtype: .float32), test, expected)
    }

    /// Through a GGUF file and back again the weights are the same.
    @Test func aGGUFBaseMergesAsItsFolderDoes() throws {
        let test = Self.plain[3]
        let folder = try TemporaryFolder()
        let (model, expected) = try open(test)
        let base = folder.url.appending(path: "base.gguf")
        _ = try GGUFExport(MergedModel(model, nil), fileType: .F32, tokenizer: [], name: "test").write(to: base)
        let stored = try StoredModel(base)
        let merged = MergedModel(stored, try StoredAdapter(Fixtures.url(test.adapter), for: stored))
        let url = folder.url.appending(path: "merged.gguf")
        let report = try GGUFExport(merged, fileType: nil, changedType: .F32, tokenizer: [], name: "test").write(
            to: url)
        #expect(report.copied > 0)
        try compare(ModelFiles(url).load(dtype: .float32), test, expected)
        // What the adapter leaves alone is the base's, bit for bit.
        let (before, after) = (try GGUFFile(contentsOf: base), try GGUFFile(contentsOf: url))
        for name in ["token_embd.weight", "blk.0.ffn_norm.weight", "output.weight"] {
            let bytes = { (file: GGUFFile) in try file.withUnsafeBytes(of: name) { Data($0) } }
            #expect(try bytes(before) == bytes(after))
        }
        let stage = try ExportStage(for: folder.url.appending(path: "folder"))
        _ = try HuggingFaceExport(merged, elementType: .float32).write(to: stage)
        try compare(ModelFiles(stage.folder).load(dtype: .float32), test, expected)
    }

    @Test(arguments: plain + [kinds[1]]) func anAdapterForLlamaCppComputesTheSame(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let (model, expected) = try open(test)
        let url = folder.url.appending(path: "lora.gguf")
        _ = try GGUFAdapterExport(StoredAdapter(Fixtures.url(test.adapter), for: model), of: model)
            .write(to: url, name: "test")
        let loaded = try ModelFiles(model.url).load(dtype: .float32)
        try GGUFAdapterFile.attach(url, to: loaded)
        try compare(loaded, test, expected)
        // llama.cpp meets it on the model's GGUF file.
        let base = folder.url.appending(path: "base.gguf")
        _ = try GGUFExport(MergedModel(model, nil), fileType: .F32, tokenizer: [], name: "test").write(to: base)
        let loadedBase = try ModelFiles(base).load(dtype: .float32)
        try GGUFAdapterFile.attach(url, to: loadedBase)
        try compare(loadedBase, test, expected)
    }

    @Test func whatLlamaCppsAdaptersCannotHoldIsRefusedByName() throws {
        for (name, word) in [("dora", "DoRA"), ("modules-untied", "modules_to_save")] {
            let (model, _) = try open(Case(model: "", adapter: "", expected: "adapters/\(name)", prefix: ""))
            let adapter = try StoredAdapter(Fixtures.url("adapters/\(name)"), for: model)
            let error = #expect(throws: ExportError.self) { try GGUFAdapterExport(adapter, of: model) }
            #expect(error?.message.contains(word) == true)
        }
    }

    @Test func anotherModelsAdapterIsRefused() throws {
        let model = try StoredModel(Fixtures.url("models/llama-tiny"))
        let error = #expect(throws: ModelError.self) {
            try StoredAdapter(Fixtures.url("models/gemma3-tiny/adapter"), for: model)
        }
        #expect(error?.code == .mismatch)
    }

    /// Rounded once: the nearest bfloat16 to the sum in float32.
    @Test func sixteenBitsAreTheNearest() throws {
        let folder = try TemporaryFolder()
        let test = Self.plain[3]
        let (model, _) = try open(test)
        let merged = MergedModel(model, try StoredAdapter(Fixtures.url(test.adapter), for: model))
        for (name, type) in [("exact", WeightElementType.float32), ("rounded", .bfloat16)] {
            let stage = try ExportStage(for: folder.url.appending(path: name))
            _ = try HuggingFaceExport(merged, elementType: type).write(to: stage)
            try stage.finish()
        }
        let exact = try WeightFiles.open(folder.url.appending(path: "exact"))
        let rounded = try WeightFiles.open(folder.url.appending(path: "rounded"))
        for info in exact.weights {
            var (wide, narrow) = (Data(count: 4 * info.count), Data(count: 2 * info.count))
            var nearest = Data(count: 2 * info.count)
            try wide.withUnsafeMutableBytes { try exact.read(info.name, as: .float32, into: $0) }
            try nearest.withUnsafeMutableBytes { try exact.read(info.name, as: .bfloat16, into: $0) }
            try narrow.withUnsafeMutableBytes { try rounded.read(info.name, as: .bfloat16, into: $0) }
            #expect(narrow == nearest, "\(info.name)")
        }
    }

    private func open(_ test: Case) throws -> (StoredModel, [[Int32]]) {
        let expected = try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: Fixtures.url("\(test.expected)/expected.json")))
        return (try StoredModel(Fixtures.url("models/\(expected.base ?? test.model)")), expected.sequences)
    }

    private func compare(_ model: Decoder, _ test: Case, _ sequences: [[Int32]]) throws {
        let tensors = try SafetensorsFile(contentsOf: Fixtures.url("\(test.expected)/expected.safetensors"))
        try withoutGradient {
            for (index, ids) in sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                let reference = try tensors.elements("\(test.prefix).\(index)", as: Float.self)
                #expect(try maximumDifference(logits.array(), reference) < 1e-4)
            }
        }
    }
}
