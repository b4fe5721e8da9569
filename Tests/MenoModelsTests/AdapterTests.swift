import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Against PEFT, for everything of `LoraConfig` that is read (`Tests/Reference/make_adapters.py`, `make_adapter_forms.py`).
@Suite(.drawsRandomNumbers) struct AdapterTests {
    static let names = [
        "dora", "patterns", "modules-untied", "excluded", "excluded-pattern", "mlp", "tied",
    ]

    struct Expected: Decodable {
        var base: String
        var sequences: [[Int32]]
        var loss: Double
    }

    @Test(arguments: names, [false, true]) func logitsAndGradientsEqualPEFT(_ name: String, checkpointing: Bool) throws
    {
        let folder = Fixtures.url("adapters/\(name)")
        let expected = try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        let tensors = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
        let model = try ModelFiles(Fixtures.url("models/\(expected.base)")).load(dtype: .float32)
        try LoRAFiles.attach(folder, to: model)
        model.checkpointedLayers = checkpointing ? model.configuration.layerCount : 0
        try withoutGradient {
            for (index, ids) in expected.sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                let reference = try tensors.elements("logits.\(index)", as: Float.self)
                #expect(try maximumDifference(logits.array(), reference) < 1e-4)
            }
        }
        let ids = expected.sequences.flatMap { $0 }
        let losses = try model.loss(
            inputIDs: ids, labels: ids, layout: SequenceLayout(lengths: expected.sequences.map(\.count))
        ).losses
        let loss = try losses.sum / Double(losses.values.count)
        #expect(abs(try loss.item() - expected.loss) < 1e-5 * expected.loss)
        try loss.backward()
        #expect(model.trainedParameters.count == tensors.weights.count { $0.name.hasPrefix("gradient.") })
        for parameter in model.trainedParameters {
            let gradient = try #require(try parameter.tensor.gradient())
            let reference = try tensors.elements("gradient.\(parameter.name)", as: Float.self)
            #expect(try relativeError(gradient.array(), reference) < 1e-4, "\(parameter.name)")
        }
    }

    /// What is computed again drops what was dropped the first time.
    @Test func checkpointingChangesNothingWithDropout() throws {
        func pass(layers: Int) throws -> (losses: [Float], gradients: [[Float]]) {
            let model = try ModelFiles(Fixtures.url("models/gemma3-tiny")).load(dtype: .float32)
            try RandomGenerator.seed(3)
            try model.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0.3, targets: .names(["q_proj", "v_proj"])))
            // An adapter whose B is zero changes nothing, whatever is dropped.
            for parameter in model.trainedParameters { try parameter.tensor.detached().uniform_(-0.5, 0.5) }
            model.checkpointedLayers = layers
            let ids = (0..<24).map { Int32($0 * 7 % 50) }
            let losses = try model.loss(inputIDs: ids, labels: ids, layout: SequenceLayout(lengths: [10, 14])).losses
            try losses.sum.backward()
            return (losses.values, try model.trainedParameters.map { try $0.tensor.gradient()!.array() })
        }
        let plain = try pass(layers: 0)
        for layers in [1, 100] {
            let checkpointed = try pass(layers: layers)
            #expect(plain.losses == checkpointed.losses && plain.gradients == checkpointed.gradients)
        }
    }

    /// The gradients of three examples do not depend on which of them lie in one pass, with dropout and noise.
    @Test(arguments: [false, true], [DType.float32, .bfloat16])
    func everyDivisionHasTheSameGradients(_ usesDoRA: Bool, _ type: DType) throws {
        let model = try ModelFiles(Fixtures.url("models/gemma3-tiny")).load(dtype: type)
        try RandomGenerator.seed(3)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0.3, targets: .allLinear)
        settings.usesDoRA = usesDoRA
        try model.attachLoRA(settings)
        for (_, adapter) in model.adapters { try adapter.up.tensor.detached().uniform_(-0.5, 0.5) }
        model.embeddingNoise = 5
        model.randomKey = RowKeys.key(seed: 1, step: 2)
        let examples = [10, 14, 7].map { length in (0..<length).map { Int32(($0 * 7 + length) % 50) } }
        func step(_ division: [[Int]]) throws -> (losses: [Float], gradients: [[Float]]) {
            for parameter in model.trainedParameters { try parameter.tensor.setGradient(nil) }
            var losses = examples.map { _ in [Float]() }
            for numbers in division {
                let ids = numbers.flatMap { examples[$0] }
                let layout = SequenceLayout(lengths: numbers.map { examples[$0].count }, numbers: numbers)
                let result = try model.loss(inputIDs: ids, labels: ids, layout: layout)
                try result.losses.sum.backward()
                for (prediction, loss) in zip(result.predictions, result.losses.values) {
                    losses[numbers[prediction.sequence]].append(loss)
                }
            }
            return (losses.flatMap { $0 }, try model.trainedParameters.map { try $0.tensor.gradient()!.array() })
        }
        let whole = try step([[0, 1, 2]])
        let rounding: Float = type == .float32 ? 1e-5 : 3e-2
        for division in [[[0], [1], [2]], [[2, 0], [1]]] {
            let parts = try step(division)
            #expect(maximumDifference(parts.losses, whole.losses) < rounding)
            for (part, gradient) in zip(parts.gradients, whole.gradients) {
                #expect(relativeError(part, gradient) < (type == .float32 ? 1e-4 : 5e-2))
            }
        }
        model.randomKey = RowKeys.key(seed: 1, step: 3)
        #expect(try maximumDifference(step([[0, 1, 2]]).losses, whole.losses) > 10 * rounding)
    }

    /// What is written is read back by the same code, and has PEFT's names and settings.
    @Test(arguments: names) func whatIsWrittenIsReadBack(_ name: String) throws {
        let original = Fixtures.url("adapters/\(name)")
        let expected = try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: original.appending(path: "expected.json")))
        let files = try ModelFiles(Fixtures.url("models/\(expected.base)"))
        let model = try files.load(dtype: .float32)
        let settings = try LoRAFiles.attach(original, to: model)
        let folder = try TemporaryFolder()
        try SavedForm.adapter(settings, baseModel: expected.base).write(model.trainedValues(), to: folder.url)
        let names = { (folder: URL) in
            let file = try SafetensorsFile(contentsOf: folder.appending(path: LoRAFiles.weightsName))
            return Set(file.weights.map(\.name))
        }
        #expect(try names(folder.url) == names(original))
        #expect(try LoRAFiles.settings(in: folder.url) == settings)
        #expect(
            try LoRAFiles.settings(in: folder.url).excludedModules == LoRAFiles.settings(in: original).excludedModules)
        let again = try files.load(dtype: .float32)
        try LoRAFiles.attach(folder.url, to: again)
        #expect(try again.trainedValues().entries.map(\.values) == model.trainedValues().entries.map(\.values))
    }

    @Test func aFreshDoRAAdapterChangesNothing() throws {
        let model = try ModelFiles(Fixtures.url("models/llama-tiny")).load(dtype: .float32)
        let layout = SequenceLayout(lengths: [6])
        let before = try withoutGradient {
            try model.logits(inputIDs: [3, 4, 5, 6, 7, 8], layout: layout).array() as [Float]
        }
        var settings = LoRASettings(rank: 4, alpha: 8, dropout: 0, targets: .allLinear)
        settings.usesDoRA = true
        try model.attachLoRA(settings)
        let after = try withoutGradient {
            try model.logits(inputIDs: [3, 4, 5, 6, 7, 8], layout: layout).array() as [Float]
        }
        #expect(maximumDifference(before, after) < 1e-5)
    }

    /// A model whose head is its embedding, adapted, with a module that is trained whole.
    private func tied(saving module: String) throws -> (files: ModelFiles, model: Decoder, settings: LoRASettings) {
        let files = try ModelFiles(Fixtures.url("models/llama-tiny"))
        let model = try files.load(dtype: .float32)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj"]))
        settings.modulesToSave = [module]
        return (files, model, try model.attachLoRA(settings))
    }

    /// The head of a model that ties it to the embedding is trained and saved with it.
    @Test func aTiedHeadIsSavedBesideItsEmbedding() throws {
        let (files, model, settings) = try tied(saving: "lm_head")
        #expect(settings.modulesToSave == ["embed_tokens", "lm_head"])
        #expect(model.trainedParameters.contains { $0.name == "model.embed_tokens.weight" })
        let folder = try TemporaryFolder()
        try SavedForm.adapter(settings, baseModel: "llama-tiny").write(model.trainedValues(), to: folder.url)
        let file = try SafetensorsFile(contentsOf: folder.url.appending(path: LoRAFiles.weightsName))
        let embedding = "\(LoRAFiles.prefix)model.embed_tokens.weight"
        #expect(
            try file.elements(embedding, as: Float.self)
                == file.elements("\(LoRAFiles.prefix)lm_head.weight", as: Float.self))
        try LoRAFiles.attach(folder.url, to: files.load(dtype: .float32))
    }

    /// PEFT trains a copy of the module that is named and leaves the other as it was, unless it is told to tie them.
    @Test func aTiedEmbeddingWithoutItsHeadIsRefused() throws {
        let (files, model, attached) = try tied(saving: "embed_tokens")
        var settings = attached
        @discardableResult
        func attach(changed: Bool, configuration: [String: Any] = [:]) throws -> LoRASettings {
            let folder = try TemporaryFolder()
            var values = try model.trainedValues()
            let index = try #require(values.entries.firstIndex { $0.name == "model.embed_tokens.weight" })
            if changed { values.entries[index].values[5] += 1 }
            settings.modulesToSave = ["embed_tokens"]
            try SavedForm.adapter(settings, baseModel: "llama-tiny").write(values, to: folder.url)
            try edit(folder.url) { $0.merge(configuration) { $1 } }
            return try LoRAFiles.attach(folder.url, to: files.load(dtype: .float32))
        }
        let error = #expect(throws: ModelError.self) { try attach(changed: true) }
        #expect(error?.message.contains("of its own") == true)
        try attach(changed: false)
        let tied = try attach(changed: true, configuration: ["ensure_weight_tying": true])
        #expect(tied.modulesToSave == ["embed_tokens", "lm_head"])
    }

    /// Keys by which PEFT computes something else with the same tensors.
    @Test func whatIsNotComputedIsRefused() throws {
        func settings(_ configuration: [String: Any]) throws -> LoRASettings {
            let folder = try TemporaryFolder()
            let name = LoRAFiles.configurationName
            try FileManager.default.copyItem(
                at: Fixtures.url("adapters/dora/\(name)"), to: folder.url.appending(path: name))
            try edit(folder.url) { $0.merge(configuration) { $1 } }
            return try LoRAFiles.settings(in: folder.url)
        }
        let refused: [[String: Any]] = [
            ["init_lora_weights": "pissa"], ["init_lora_weights": "pissa_niter_4"], ["init_lora_weights": "olora"],
            ["init_lora_weights": "loftq"], ["alora_invocation_tokens": [3, 4]],
            ["layer_replication": [[0, 2], [1, 3]]], ["bias": "all"], ["bias": "lora_only"], ["lora_bias": true],
            ["trainable_token_indices": [1]],
            ["use_qalora": true], ["brand_new": "x"],
        ]
        for configuration in refused {
            let error = #expect(throws: ModelError.self) { try settings(configuration) }
            #expect(error?.message.contains(configuration.keys.first ?? "?") == true, "\(configuration)")
        }
        let accepted: [[String: Any]] = [
            ["init_lora_weights": false], ["init_lora_weights": "gaussian"], ["init_lora_weights": "eva"],
            ["init_lora_weights": "orthogonal"], ["alora_invocation_tokens": NSNull()], ["brand_new": false],
            ["exclude_modules": ["k_proj"]], ["loftq_config": ["loftq_bits": 4]], ["qalora_group_size": 32],
            ["init_lora_weights": "mica"],
        ]
        for configuration in accepted { #expect(try settings(configuration).rank == 4, "\(configuration)") }
    }

    /// Tensors that belong to nothing are explained where the reason is known.
    @Test(arguments: [
        ("model.embed_tokens.lora_embedding_A", "adapts the embedding"),
        ("lm_head.lora_A.weight", "adapts the head"),
        ("model.vision_tower.encoder.layers.0.self_attn.q_proj.lora_A.weight", "vision part"),
        ("model.layers.9.self_attn.q_proj.lora_A.weight", "another model"),
    ])
    func strayTensorsAreExplained(_ name: String, reason: String) throws {
        let files = try ModelFiles(Fixtures.url("models/llama-tiny"))
        let model = try files.load(dtype: .float32)
        let settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj"]))
        try model.attachLoRA(settings)
        var values = try model.trainedValues()
        values.entries.append(.init(name: name, shape: [1], values: [1]))
        let folder = try TemporaryFolder()
        try SavedForm.adapter(settings, baseModel: "llama-tiny").write(values, to: folder.url)
        let error = #expect(throws: ModelError.self) {
            try LoRAFiles.attach(folder.url, to: files.load(dtype: .float32))
        }
        #expect(error?.message.contains(name) == true && error?.description.contains(reason) == true)
    }

    /// PEFT would wrap it once only.
    @Test func aLayerIsNotAdaptedAndSavedWhole() throws {
        let model = try ModelFiles(Fixtures.url("models/llama-tiny")).load(dtype: .float32)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj", "v_proj"]))
        settings.modulesToSave = ["q_proj"]
        let error = #expect(throws: ModelError.self) { try model.attachLoRA(settings) }
        #expect(error?.message.contains("\"q_proj\"") == true && error?.message.contains("v_proj") == false)
    }

    private func edit(_ folder: URL, _ change: (inout [String: Any]) -> Void) throws {
        let file = folder.appending(path: LoRAFiles.configurationName)
        var object = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        change(&object)
        try JSONSerialization.data(withJSONObject: object).write(to: file)
    }

    @Test func anUnknownModuleIsNamed() throws {
        let model = try ModelFiles(Fixtures.url("models/llama-tiny")).load(dtype: .float32)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj"]))
        settings.modulesToSave = ["score"]
        let error = #expect(throws: ModelError.self) { try model.attachLoRA(settings) }
        #expect(error?.description.contains("score") == true)
    }

    @Test func namesThatMatchNothingAreTold() throws {
        func refusal(_ names: [String], _ change: (inout LoRASettings) -> Void) throws -> String {
            let model = try ModelFiles(Fixtures.url("models/llama-tiny")).load(dtype: .float32)
            var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(names))
            change(&settings)
            let error = #expect(throws: ModelError.self) { try model.attachLoRA(settings) }
            return error?.description ?? ""
        }
        let targets = try refusal(["q_proj", "v_porj"]) { _ in }
        #expect(targets.contains("\"v_porj\"") && targets.contains("mean v_proj?") && !targets.contains("\"q_proj\""))
        #expect(try refusal(["q_proj"]) { $0.layersToTransform = [0, 99] }.contains("\"99\""))
        #expect(
            try refusal(["q_proj"]) { $0.rankPattern = LayerPatterns([("q_proj", 3), ("v_proj", 3)]) }
                .contains("rank patterns that match no adapted layer: \"v_proj\""))
        #expect(
            try refusal(["q_proj"]) { $0.alphaPattern = LayerPatterns([("k_proj", 3)]) }.contains("alpha patterns"))
    }

    @Test func onlyTheNamedLayersAreAdapted() throws {
        let model = try ModelFiles(Fixtures.url("models/llama-tiny")).load(dtype: .float32)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["v_proj"]))
        settings.layersToTransform = [1]
        settings.rankPattern = LayerPatterns([(pattern: "v_.*", value: 3)])
        try model.attachLoRA(settings)
        #expect(model.adapters.map(\.layer) == ["model.layers.1.self_attn.v_proj"])
        #expect(model.adapters.first?.adapter.down.tensor.shape == [3, 16])
    }
}
