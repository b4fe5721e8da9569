import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Models whose names or head differ from what their configuration alone would say: the text model of a multimodal one, and a
/// head of its own in a model that is said to be tied.
@Suite(.drawsRandomNumbers) struct SavedNamesTests {
    private let folder: TemporaryFolder
    private let part = "model.language_model."

    init() throws { folder = try TemporaryFolder() }

    /// A fixture's model with other names of its tensors, more of them, and another configuration.
    private func derived(
        _ name: String, adding extra: [NamedValues.Entry] = [], names: (String) -> String = { $0 },
        configuration change: ([String: Any]) -> [String: Any] = { $0 }
    ) throws -> URL {
        let (source, url) = (Fixtures.url("models/\(name)"), folder.url.appending(path: "derived"))
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        let object = try json(source.appending(path: "config.json"))
        try JSONSerialization.data(withJSONObject: change(object)).write(to: url.appending(path: "config.json"))
        try write(values(WeightFiles.open(source), names) + extra, to: url.appending(path: "model.safetensors"))
        return url
    }

    private func multimodal() throws -> URL {
        try derived("gemma3-tiny", names: { part + $0.dropFirst("model.".count) }) { text in
            ["model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "text_config": text]
        }
    }

    private func json(_ url: URL) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    }

    private func values(_ source: any WeightSource, _ names: (String) -> String) throws -> [NamedValues.Entry] {
        try source.weights.map { info in
            var floats = [Float](repeating: 0, count: info.count)
            try floats.withUnsafeMutableBytes { try source.read(info.name, as: .float32, into: $0) }
            return NamedValues.Entry(name: names(info.name), shape: info.shape, values: floats)
        }
    }

    private func write(_ entries: [NamedValues.Entry], to url: URL) throws {
        var values = try NamedValues([])
        values.entries = entries
        try values.write(to: url)
    }

    private func logits(_ model: Decoder) throws -> [Float] {
        try withoutGradient {
            try model.logits(inputIDs: [3, 14, 15, 9, 26, 5], layout: SequenceLayout(lengths: [6])).array()
        }
    }

    private func names(_ url: URL) throws -> Set<String> {
        Set(try SafetensorsFile(contentsOf: url).weights.map(\.name))
    }

    /// Adapters that change something.
    private func adapted(_ model: Decoder, _ settings: LoRASettings) throws -> LoRASettings {
        try RandomGenerator.seed(5)
        let settings = try model.attachLoRA(settings)
        for (_, adapter) in model.adapters { _ = try adapter.up.tensor.detached().uniform_(-0.3, 0.3) }
        return settings
    }

    @Test func adaptersOfAMultimodalModelHaveItsNames() throws {
        let files = try ModelFiles(multimodal())
        let model = try files.load(dtype: .float32)
        #expect(try logits(model) == logits(ModelFiles(Fixtures.url("models/gemma3-tiny")).load(dtype: .float32)))
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj", "mlp.up_proj"]))
        settings.layersToTransform = [0, 2]
        settings.modulesToSave = ["embed_tokens", "model.norm"]
        settings.alphaPattern = LayerPatterns([("\(part)layers.2.self_attn.q_proj", 9)])
        settings = try adapted(model, settings)
        let saved = folder.url.appending(path: "adapter")
        try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
        try SavedForm.adapter(settings, baseModel: "tiny").write(model.trainedValues(), to: saved)
        let written = try names(saved.appending(path: LoRAFiles.weightsName))
        let layers = [0, 2].flatMap { ["layers.\($0).self_attn.q_proj", "layers.\($0).mlp.up_proj"] }
        let adapters = layers.flatMap { ["\(part)\($0).lora_A.weight", "\(part)\($0).lora_B.weight"] }
        let modules = ["lm_head", "\(part)embed_tokens", "\(part)norm"]
        let expected = adapters + modules.map { "\($0).weight" }
        #expect(written == Set(expected.map { "base_model.model." + $0 }))
        let configuration = try json(saved.appending(path: LoRAFiles.configurationName))
        let pattern = try Regex(#require(configuration["target_modules"] as? String))
        for layer in layers { #expect(try pattern.wholeMatch(in: part + layer) != nil, "\(layer)") }
        let others = [
            "\(part)layers.1.mlp.up_proj", "\(part)layers.0.mlp.down_proj", "model.vision_tower.layers.0.q_proj",
        ]
        for other in others { #expect(try pattern.wholeMatch(in: other) == nil, "\(other)") }
        #expect(configuration["layers_to_transform"] == nil)
        #expect(configuration["modules_to_save"] as? [String] == modules)
        let again = try files.load(dtype: .float32)
        try LoRAFiles.attach(saved, to: again)
        #expect(try logits(again) == logits(model))
        // Read back, they are the settings that were written.
        let read = try LoRAFiles.settings(in: saved)
        #expect(read.targets == settings.targets && read.layersToTransform == settings.layersToTransform)
        #expect(read.modulesToSave == ["lm_head", "model.embed_tokens", "model.norm"])
        try SavedForm.adapter(settings, baseModel: "tiny").restore(model, from: saved)
    }

    /// The adapter of a text model alone and that of a part are read for either.
    @Test func adaptersAreReadByTheNamesOfEither() throws {
        let alone = try ModelFiles(Fixtures.url("models/gemma3-tiny"))
        let original = Fixtures.url("models/gemma3-tiny/adapter")
        let renamed = folder.url.appending(path: "renamed")
        try FileManager.default.createDirectory(at: renamed, withIntermediateDirectories: true)
        var configuration = try json(original.appending(path: LoRAFiles.configurationName))
        configuration["alpha_pattern"] = ["model.language_model.layers.1.self_attn.q_proj": 40]
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: renamed.appending(path: LoRAFiles.configurationName))
        let source = try SafetensorsFile(contentsOf: original.appending(path: LoRAFiles.weightsName))
        try write(
            values(source) { $0.replacing("base_model.model.model.", with: "base_model.model.\(part)") },
            to: renamed.appending(path: LoRAFiles.weightsName))
        let models = try [alone, alone, ModelFiles(multimodal())].map { try $0.load(dtype: .float32) }
        for (model, adapter) in zip(models, [original, renamed, renamed]) { try LoRAFiles.attach(adapter, to: model) }
        let results = try models.map(logits)
        #expect(results[1] == results[2] && results[0] != results[1])
        let other = try ModelFiles(folder.url.appending(path: "derived")).load(dtype: .float32)
        try LoRAFiles.attach(original, to: other)
        #expect(try logits(other) == results[0])
    }

    /// What is trained whole of a multimodal model is its text model, which stands alone on the disk.
    @Test func aTextPartIsSavedAsAModelOfItsOwn() throws {
        let source = try multimodal()
        let model = try ModelFiles(source).load(dtype: .float32)
        try model.trainAllParameters()
        _ = try model.trainedParameters[0].tensor.detached().uniform_(-0.5, 0.5)
        let saved = folder.url.appending(path: "saved")
        try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
        let form = SavedForm.model(source: source)
        try form.write(model.trainedValues(), to: saved)
        #expect(
            try names(saved.appending(path: "model.safetensors"))
                == names(Fixtures.url("models/gemma3-tiny/model.safetensors")))
        let data = try String(contentsOf: saved.appending(path: "config.json"), encoding: .utf8)
        // Numbers stay numbers.
        #expect(data.contains(/"bos_token_id" ?: 1,/) && data.contains(/"use_cache" ?: true/))
        let configuration = try json(saved.appending(path: "config.json"))
        #expect(configuration["model_type"] as? String == "gemma3_text" && configuration["text_config"] == nil)
        #expect(configuration["architectures"] as? [String] == ["Gemma3ForCausalLM"])
        #expect((configuration["dtype"] ?? configuration["torch_dtype"]) as? String == "float32")
        #expect(try maximumDifference(logits(ModelFiles(saved).load(dtype: .float32)), logits(model)) < 1e-5)
        try form.restore(model, from: saved)
    }

    @Test func aHeadThatDiffersFromTheEmbeddingIsAHeadOfItsOwn() throws {
        let table = try #require(
            values(WeightFiles.open(Fixtures.url("models/gemma3-tiny")), { $0 })
                .first { $0.name == "model.embed_tokens.weight" })
        var head = table
        head.name = "lm_head.weight"
        let same = try ModelFiles(derived("gemma3-tiny", adding: [head]))
        #expect(same.configuration.tiesEmbeddings)
        head.values.reverse()
        let source = try derived("gemma3-tiny", adding: [head])
        let own = try ModelFiles(source)
        #expect(!own.configuration.tiesEmbeddings)
        let model = try own.load(dtype: .float32)
        #expect(try logits(model) != logits(same.load(dtype: .float32)))
        try model.trainAllParameters()
        let saved = folder.url.appending(path: "saved")
        try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
        try SavedForm.model(source: source).write(model.trainedValues(), to: saved)
        #expect(try json(saved.appending(path: "config.json"))["tie_word_embeddings"] as? Bool == false)
        #expect(try maximumDifference(logits(ModelFiles(saved).load(dtype: .float32)), logits(model)) < 1e-5)
    }
}
