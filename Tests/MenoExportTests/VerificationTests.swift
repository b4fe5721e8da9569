import Foundation
import MenoExport
import MenoFormats
import MenoModels
import MenoTensor
import MenoTesting
import MenoTokenizers
import Testing

/// An export that does something else than what was trained must be caught.
@Suite struct VerificationTests {
    private static let chatML = ChatTemplate.chatML

    /// A folder with a tokenizer that has ChatML's markers.
    private func tokenizer(
        _ folder: TemporaryFolder, _ name: String, template: String?, eos: String = "<|im_end|>", ends: [Int] = []
    ) throws -> Tokenizer {
        let url = folder.url.appending(path: name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        let source = Fixtures.url("tokenizers/families/qwen.tokenizer.json")
        var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: source)) as? [String: Any])
        var added = json["added_tokens"] as? [[String: Any]] ?? []
        let next = (added.compactMap { $0["id"] as? Int }.max() ?? 1000) + 1
        for (index, token) in ["<|im_start|>", "<|im_end|>", "<end>"].enumerated()
        where !added.contains(where: { $0["content"] as? String == token }) {
            added.append(["id": next + index, "content": token, "special": true, "normalized": false])
        }
        json["added_tokens"] = added
        try JSONSerialization.data(withJSONObject: json).write(to: url.appending(path: "tokenizer.json"))
        var configuration = ["eos_token": eos]
        configuration["chat_template"] = template
        try JSONSerialization.data(withJSONObject: configuration).write(
            to: url.appending(path: "tokenizer_config.json"))
        return try Tokenizer.load(url)
    }

    @Test func aWrongTemplateOrEndIsCaught() throws {
        let folder = try TemporaryFolder()
        let trained = try tokenizer(folder, "trained", template: nil)
        let right = Self.chatML.source
        try ExportVerification.compareTexts(
            template: Self.chatML, tokenizer: trained, exported: tokenizer(folder, "right", template: right))
        let sabotaged: [(String, String?, String)] = [
            ("no template", nil, "<|im_end|>"),
            ("no newline", right.replacing("{{- '\\n' -}}", with: ""), "<|im_end|>"),
            ("other role", right.replacing("assistant", with: "model"), "<|im_end|>"), ("other end", right, "<end>"),
        ]
        for (name, template, eos) in sabotaged {
            let exported = try tokenizer(folder, name, template: template, eos: eos)
            let error = #expect(throws: ExportError.self, "\(name)") {
                try ExportVerification.compareTexts(template: Self.chatML, tokenizer: trained, exported: exported)
            }
            #expect(error?.code == .differs)
        }
    }

    @Test func aWrongTemplateOrEndIsCaughtInAGGUFFile() throws {
        let folder = try TemporaryFolder()
        let trained = try tokenizer(folder, "trained", template: nil)
        let right = Self.chatML.source
        let vocabulary = try GGUFVocabularyExport(
            folder.url.appending(path: "trained/tokenizer.json"), tokenizer: trained, rows: trained.vocabularySize)
        let exported = { (name: String, template: String?, eos: String) in
            var metadata = try vocabulary.metadata(template: template, endOfTurn: nil)
            let index = try #require(metadata.firstIndex { $0.key == "tokenizer.ggml.eos_token_id" })
            metadata[index].value = .uint32(UInt32(try #require(trained.id(of: eos))))
            let url = folder.url.appending(path: "\(name).gguf")
            let writer = try GGUFWriter(
                to: url, metadata: [("general.architecture", .string("llama"))] + metadata, tensors: [])
            try writer.finish()
            return try Tokenizer.load(url)
        }
        try ExportVerification.compareTexts(
            template: Self.chatML, tokenizer: trained, exported: exported("right", right, "<|im_end|>"))
        let sabotaged: [(String, String?, String)] = [
            ("no template", nil, "<|im_end|>"),
            ("other role", right.replacing("assistant", with: "model"), "<|im_end|>"), ("other end", right, "<end>"),
        ]
        for (name, template, eos) in sabotaged {
            let error = #expect(throws: ExportError.self, "\(name)") {
                try ExportVerification.compareTexts(
                    template: Self.chatML, tokenizer: trained, exported: exported(name, template, eos))
            }
            #expect(error?.code == .differs)
        }
    }

    private static let tiny = Fixtures.url("models/llama-tiny")
    private static let samples = [(0..<40).map { Int32(($0 * 37 + 5) % 96) }].map {
        ExportVerification.Sample(ids: $0, labels: $0)
    }

    /// The tiny model's adapter with another α.
    private func adapter(_ folder: TemporaryFolder, alphaFactor: Double) throws -> URL {
        let adapter = folder.url.appending(path: "adapter-\(alphaFactor)")
        try FileManager.default.copyItem(at: Self.tiny.appending(path: "adapter"), to: adapter)
        let file = adapter.appending(path: "adapter_config.json")
        var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        json["lora_alpha"] = alphaFactor * (try #require(json["lora_alpha"] as? Double))
        try JSONSerialization.data(withJSONObject: json).write(to: file)
        return adapter
    }

    private func losses() throws -> (base: [Double], trained: [Double]) {
        let model = try ModelFiles(Self.tiny).load(dtype: .float32)
        let base = try ExportVerification.losses(of: model, Self.samples)
        try LoRAFiles.attach(Self.tiny.appending(path: "adapter"), to: model)
        return (base, try ExportVerification.losses(of: model, Self.samples))
    }

    /// The form without weights to compare has exact losses.
    @Test func halfOfAnAdapterForLlamaCppIsCaught() throws {
        let folder = try TemporaryFolder()
        let (base, trained) = try losses()
        let compared = { (alphaFactor: Double) in
            let stored = try StoredModel(Self.tiny)
            let file = folder.url.appending(path: "\(alphaFactor).gguf")
            let adapter = try StoredAdapter(self.adapter(folder, alphaFactor: alphaFactor), for: stored)
            _ = try GGUFAdapterExport(adapter, of: stored).write(to: file, name: "test")
            let model = try ModelFiles(Self.tiny).load(dtype: .float32)
            try GGUFAdapterFile.attach(file, to: model)
            _ = try ExportVerification.compare(
                trained: trained, exported: ExportVerification.losses(of: model, Self.samples), base: base,
                storage: .float32)
        }
        try compared(1)
        let error = #expect(throws: ExportError.self) { try compared(0.5) }
        #expect(error?.code == .differs)
    }

    @Test func anAdapterScaledByHalfIsCaught() throws {
        let folder = try TemporaryFolder()
        let samples = Self.samples
        let (base, expected) = try losses()

        func exported(alphaFactor: Double) throws -> [Double] {
            let adapter = try self.adapter(folder, alphaFactor: alphaFactor)
            let model = try StoredModel(Self.tiny)
            let stage = try ExportStage(for: folder.url.appending(path: "out-\(alphaFactor)"))
            _ = try HuggingFaceExport(MergedModel(model, try StoredAdapter(adapter, for: model)), elementType: .float16)
                .write(to: stage)
            return try ExportVerification.losses(of: ModelFiles(stage.folder).load(dtype: .float32), samples)
        }
        let outcome = try ExportVerification.compare(
            trained: expected, exported: exported(alphaFactor: 1), base: base, storage: .float16)
        #expect(outcome.largestDifference < outcome.bound)
        let error = #expect(throws: ExportError.self) {
            try ExportVerification.compare(
                trained: expected, exported: exported(alphaFactor: 0.5), base: base, storage: .float16)
        }
        #expect(error?.code == .differs)
        #expect(throws: ExportError.self) {
            try ExportVerification.compare(trained: [1], exported: [.nan], base: nil, storage: .fourBits)
        }
    }
}

/// An export that holds another share of what was learnt is caught in every format.
@Suite struct ChangeShareTests {
    /// A Llama of one layer whose rows hold blocks of every type, and two adapters of it, one half as strong.
    private let folder = try! TemporaryFolder()
    private var model: URL { folder.url.appending(path: "model") }
    private func adapter(_ name: String) -> URL { folder.url.appending(path: name) }
    private static let size = 256

    init() throws {
        let (size, rows) = (Self.size, 64)
        var generator = SeededGenerator(seed: 29)
        let normal = { (count: Int, deviation: Float) -> [Float] in
            (0..<count).map { _ in
                deviation * ((0..<6).reduce(Float(0)) { sum, _ in sum + .random(in: -1...1, using: &generator) } / 1.4)
            }
        }
        try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
        let configuration: [String: Any] = [
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": rows, "hidden_size": size,
            "intermediate_size": size, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4,
            "tie_word_embeddings": true,
        ]
        try JSONSerialization.data(withJSONObject: configuration).write(to: model.appending(path: "config.json"))
        let layers =
            ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
            + ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
        let matrices = ["model.embed_tokens": [rows, size]].merging(
            layers.map { ("model.layers.0.\($0)", [size, size]) }
        ) { $1 }
        let norms = ["model.norm", "model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm"]
        let entries = matrices.sorted { $0.key < $1.key }.map {
            SafetensorsWriter.Entry("\($0.key).weight", .float32, $0.value)
        }
        let writer = try SafetensorsWriter(
            to: model.appending(path: "model.safetensors"),
            tensors: entries + norms.map { .init("\($0).weight", .float32, [size]) }, metadata: ["format": "pt"])
        for entry in entries { try writer.write(entry.name, normal(entry.shape.reduce(1, *), 0.04)) }
        for norm in norms { try writer.write("\(norm).weight", [Float](repeating: 1, count: size)) }
        try writer.finish()
        let values = (normal(4 * size, 0.06), normal(4 * size, 0.06))
        for (name, alpha) in [("right", 4), ("half", 2)] {
            try FileManager.default.createDirectory(at: adapter(name), withIntermediateDirectories: true)
            let settings: [String: Any] = [
                "peft_type": "LORA", "r": 4, "lora_alpha": alpha, "target_modules": ["q_proj", "down_proj"],
            ]
            try JSONSerialization.data(withJSONObject: settings).write(
                to: adapter(name).appending(path: "adapter_config.json"))
            let places = ["self_attn.q_proj", "mlp.down_proj"].map { "base_model.model.model.layers.0.\($0)" }
            let writer = try SafetensorsWriter(
                to: adapter(name).appending(path: "adapter_model.safetensors"),
                tensors: places.flatMap {
                    [
                        .init("\($0).lora_A.weight", .float32, [4, size]),
                        .init("\($0).lora_B.weight", .float32, [size, 4]),
                    ]
                })
            for place in places {
                try writer.write("\(place).lora_A.weight", values.0)
                try writer.write("\(place).lora_B.weight", values.1)
            }
            try writer.finish()
        }
    }

    private func merged(_ name: String) throws -> MergedModel {
        let stored = try StoredModel(model)
        return MergedModel(stored, try StoredAdapter(adapter(name), for: stored))
    }

    private func check(
        _ format: String, _ ending: String, _ storage: ExportVerification.Storage,
        _ export: (MergedModel, URL) throws -> Void
    ) throws {
        for name in ["right", "half"] {
            let place = folder.url.appending(path: "\(name)-\(format)\(ending)")
            try export(merged(name), place)
            let share = try merged("right").changeShare(in: StoredModel(place))
            if name == "right" {
                #expect(throws: Never.self, "\(format): \(String(describing: share))") {
                    try ExportVerification.requireChange(share, storage: storage)
                }
            } else {
                #expect(abs((share?.value ?? 0) - 0.5) < 0.05, "\(format)")
                let error = #expect(throws: ExportError.self, "\(format)") {
                    try ExportVerification.requireChange(share, storage: storage)
                }
                #expect(error?.code == .differs)
            }
        }
    }

    @Test(arguments: GGUFFileType.allCases) func halfInAGGUFFile(_ type: GGUFFileType) throws {
        try check(type.rawValue, ".gguf", .init(type)) {
            _ = try GGUFExport($0, fileType: type, tokenizer: [], name: "test").write(to: $1)
        }
    }

    @Test(arguments: [WeightElementType.float32, .bfloat16, .float16]) func halfInAFolder(_ type: WeightElementType)
        throws
    {
        try check("\(type)", "", [.float32: .float32, .bfloat16: .bfloat16, .float16: .float16][type]!) {
            let stage = try ExportStage(for: $1)
            _ = try HuggingFaceExport($0, elementType: type).write(to: stage)
            try stage.finish()
        }
    }

    @Test func nothingIsCompared() throws {
        let stored = try StoredModel(model)
        #expect(try MergedModel(stored, nil).changeShare(in: stored) == nil)
        try ExportVerification.requireChange(nil, storage: .float32)
        let share = { (value: Double, deviation: Double, change: Double) in
            MergedModel.ChangeShare(
                value: value, deviation: deviation, relativeChange: change, relativeNoise: 0.0001)
        }
        for value in [Double.nan, 0.85, 1.15, .infinity] {
            #expect(throws: ExportError.self) {
                try ExportVerification.requireChange(share(value, 0.01, 0.1), storage: .float16)
            }
        }
        // Where hardly anything was learnt, rounding hides it.
        try ExportVerification.requireChange(share(0.2, 0.5, 0.1), storage: .float16)
        try ExportVerification.requireChange(share(0, 0, 0.001), storage: .bfloat16)
    }
}
