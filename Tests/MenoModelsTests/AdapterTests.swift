import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Against PEFT, for everything of `LoraConfig` that is read (`Tests/Reference/make_adapters.py`).
@Suite(.drawsRandomNumbers) struct AdapterTests {
    static let names = ["dora", "patterns", "modules-untied"]

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

    /// The head of a model that ties it to the embedding is trained and saved with it.
    @Test func aTiedHeadIsSavedBesideItsEmbedding() throws {
        let files = try ModelFiles(Fixtures.url("models/llama-tiny"))
        let model = try files.load(dtype: .float32)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj"]))
        settings.modulesToSave = ["lm_head"]
        settings = try model.attachLoRA(settings)
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
                .contains("lora.rank_pattern: of what it names, these match no adapted layer: \"v_proj\""))
        #expect(
            try refusal(["q_proj"]) { $0.alphaPattern = LayerPatterns([("k_proj", 3)]) }.contains("lora.alpha_pattern"))
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
