import Foundation
import MenoExport
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Each architecture that llama.cpp has leaves as a GGUF file that means the same model.
/// `Tests/Reference/compare_exports.py --only tiny` asks llama.cpp itself.
@Suite struct GGUFArchitectureTests {
    private static let all = Fixtures.families + ["gemma2-tiny", "gemma3-tiny", "llama-tiny", "llama-untied"]
    /// What llama.cpp does not compute, and what the refusal names.
    private static let refused = [
        "helium-tiny": "helium", "cohere-normalized": "64 layers", "exaone4-windows": "64 layers",
        // Weights of experts that are divided by their sum or not, layers without experts, groups of them, another limit; fewer
        // keys than queries.
        "qwen2-moe-windows": "embedding as head", "qwen3-moe-balanced": "feed-forward",
        "qwen3-moe-dense": "feed-forward",
        "olmoe-clipped": "as many keys", "olmoe-tiny": "as many keys", "glm4-moe-tiny": "feed-forward",
        "gpt-oss-clamped": "feed-forward",
        "gpt2-untied": "scores of all layers", "phi-normalized": "norms of queries", "starcoder2-windows": "biases",
        "stablelm-normalized": "norms of queries",
    ]
    /// Of which no GGUF files are written; some are read.
    private static let unwritten = all.filter { name in
        let files = try? ModelFiles(Fixtures.url("models/\(name)"))
        return files?.configuration.architecture.isWrittenAsGGUF == false
    }
    static let written = all.filter { refused[$0] == nil && !unwritten.contains($0) }
    /// Fixtures with a file that the `gguf` package wrote.
    static let withReference = written.filter {
        FileManager.default.fileExists(atPath: Fixtures.url("models/\($0)/model.gguf").path)
    }

    struct Expected: Decodable {
        var sequences: [[Int32]]
    }

    private func export(_ name: String, to folder: TemporaryFolder) throws -> (url: URL, report: GGUFExport.Report) {
        let url = folder.url.appending(path: "out.gguf")
        let model = try StoredModel(Fixtures.url("models/\(name)"))
        let export = try GGUFExport(MergedModel(model, nil), fileType: .F32, tokenizer: [], name: "test")
        return (url, try export.write(to: url))
    }

    /// Texts within the window give the same; the notes are about longer ones.
    @Test(arguments: written) func computesTheSame(_ name: String) throws {
        let folder = try TemporaryFolder()
        let (url, report) = try export(name, to: folder)
        let loaded = try ModelFiles(url).load(dtype: .float32)
        let source = try ModelFiles(Fixtures.url("models/\(name)")).configuration
        let isLimited = !report.notes.isEmpty && !source.architecture.ggufIgnoresWindows
        let limit = isLimited ? source.layers.compactMap(\.attention.slidingWindow).min() ?? 24 : Int.max
        let reference = Fixtures.url("models/\(name)")
        let expected = try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: reference.appending(path: "expected.json")))
        let tensors = try SafetensorsFile(contentsOf: reference.appending(path: "expected.safetensors"))
        var compared = 0
        try withoutGradient {
            for (index, ids) in expected.sequences.enumerated() where ids.count <= limit {
                let logits = try loaded.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                let theirs = try tensors.elements("logits.\(index)", as: Float.self)
                #expect(try relativeError(logits.array(), theirs) < 1e-5)
                compared += 1
            }
        }
        #expect(compared > 0)
    }

    /// Names, shapes, values and every key that the reference has, but for its vocabulary.
    @Test(arguments: withReference) func isTheReferencesFile(_ name: String) throws {
        let folder = try TemporaryFolder()
        let ours = try GGUFFile(contentsOf: export(name, to: folder).url)
        let theirs = try GGUFFile(contentsOf: Fixtures.url("models/\(name)/model.gguf"))
        for key in theirs.metadata.keys where !key.hasPrefix("tokenizer.") && !key.hasPrefix("general.") {
            if let number = try? theirs.metadata.double(key) {
                let found = try ours.metadata.double(key)
                #expect(abs(found - number) <= 1e-6 * abs(number), "\(key): \(found), not \(number)")
            } else if !key.hasSuffix("_pattern") || theirs.metadata.keys.contains(where: { $0.hasSuffix("_window") }) {
                let described = { (file: GGUFFile) in file.metadata[key].map { "\($0)" } }
                #expect(described(ours) == described(theirs), "\(key)")
            }
        }
        #expect(try ours.metadata.string("general.architecture") == theirs.metadata.string("general.architecture"))
        #expect(Set(ours.weights.map(\.name)) == Set(theirs.weights.map(\.name)))
        for weight in theirs.weights {
            #expect(ours.weight(named: weight.name)?.shape == weight.shape, "\(weight.name)")
            let values = { (file: GGUFFile) in
                try [Float](unsafeUninitializedCapacity: weight.count) { buffer, initialized in
                    try file.read(weight.name, as: .float32, into: UnsafeMutableRawBufferPointer(buffer))
                    initialized = weight.count
                }
            }
            #expect(try maximumDifference(values(ours), values(theirs)) < 1e-6, "\(weight.name)")
        }
    }

    /// Not one of them is written as something else, by either name.
    @Test(arguments: unwritten) func whatIsNotWrittenIsRefused(_ name: String) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: ModelError.self) { try export(name, to: folder) }
        #expect(error?.message.contains("are not supported") == true, "\(String(describing: error))")
        let reference = Fixtures.url("models/\(name)/model.gguf")
        guard FileManager.default.fileExists(atPath: reference.path) else { return }
        let stage = try ExportStage(for: folder.url.appending(path: "out"))
        let model = MergedModel(try StoredModel(reference), nil)
        let other = #expect(throws: ModelError.self) {
            try HuggingFaceExport(model, elementType: .float32).write(to: stage)
        }
        #expect(other?.code == .unsupported && other?.message.contains("config.json") == true)
    }

    @Test(arguments: refused.sorted { $0.key < $1.key }.map { [$0.key, $0.value] })
    func whatLlamaCppLacksIsRefusedByName(_ test: [String]) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: ModelError.self) { try export(test[0], to: folder) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains(test[1]) == true && error?.message.contains("llama.cpp") == true, "\(error!)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    /// A model whose configuration llama.cpp has no place for is refused before anything is written.
    @Test func whatHasNoPlaceInTheFileIsRefused() throws {
        let model = try StoredModel(Fixtures.url("models/llama-tiny"))
        let shapes = Dictionary(uniqueKeysWithValues: model.parameters.map { ($0.name, $0.shape) })
        let changes: [(String, (inout DecoderConfiguration) -> Void)] = [
            ("scale of embeddings", { $0.embeddingScale = 3 }), ("cap of logits", { $0.finalSoftcap = 30 }),
            ("feed-forward", { $0.changeLayers { layer, _ in layer.feedForward.activation = .gelu } }),
            ("positions in layer 1", { $0.layers[1].attention.rotary = nil }),
            ("clip of queries", { $0.layers[0].attention.clip = 2 }),
            ("sinks", { $0.layers[1].attention.hasSinks = true }),
            ("scores of all layers", { $0.layers[1].attention.scale = 1 }),
            ("norms in layer 2", { $0.layers[2].norm.epsilon = 0.5 }),
        ]
        _ = try GGUFModelMetadata(model.configuration, shapes: shapes)
        for (words, change) in changes {
            var configuration = model.configuration
            change(&configuration)
            let error = #expect(throws: ModelError.self) { try GGUFModelMetadata(configuration, shapes: shapes) }
            #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        }
    }
}

/// A model that was trained from a GGUF file leaves as a Hugging Face folder with a `config.json` of its own.
@Suite struct FolderOfAGGUFFileTests {
    @Test(arguments: GGUFArchitectureTests.withReference) func computesTheSame(_ name: String) throws {
        let folder = try TemporaryFolder()
        let reference = Fixtures.url("models/\(name)")
        let model = try StoredModel(reference.appending(path: "model.gguf"))
        let stage = try ExportStage(for: folder.url.appending(path: "out"))
        _ = try HuggingFaceExport(MergedModel(model, nil), elementType: .float32).write(to: stage)
        let loaded = try ModelFiles(stage.folder).load(dtype: .float32)
        let tensors = try SafetensorsFile(contentsOf: reference.appending(path: "expected.safetensors"))
        let expected = try JSONDecoder().decode(
            GGUFArchitectureTests.Expected.self, from: Data(contentsOf: reference.appending(path: "expected.json")))
        try withoutGradient {
            for (index, ids) in expected.sequences.enumerated() {
                let logits = try loaded.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                #expect(try relativeError(logits.array(), tensors.elements("logits.\(index)", as: Float.self)) < 1e-5)
            }
        }
    }
}
