import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Adapters as PEFT and mlx-lm give them, loaded or refused with the reason (`Tests/Reference/make_adapter_forms.py`).
@Suite(.drawsRandomNumbers) struct AdapterFormsTests {
    private let folder = try! TemporaryFolder()

    private func model(_ name: String = "llama-tiny") throws -> Decoder {
        try ModelFiles(Fixtures.url("models/\(name)")).load(dtype: .float32)
    }

    private func logits(_ model: Decoder) throws -> [Float] {
        try withoutGradient {
            try model.logits(inputIDs: [3, 40, 5, 60, 7, 8, 90], layout: SequenceLayout(lengths: [7])).array()
        }
    }

    /// A copy of an adapter that may be changed.
    private func copy(_ name: String) throws -> URL {
        let copy = folder.url.appending(path: name)
        try FileManager.default.copyItem(at: Fixtures.url("adapters/\(name)"), to: copy)
        return copy
    }

    private func edit(_ folder: URL, _ change: (inout [String: Any]) -> Void) throws {
        let file = folder.appending(path: LoRAFiles.configurationName)
        var object = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        change(&object)
        try JSONSerialization.data(withJSONObject: object).write(to: file)
    }

    // MARK: Configurations

    /// Every field of `LoraConfig`, with PEFT's default.
    @Test func peftsDefaultsAreReadWithoutAWord() throws {
        var warnings: [String] = []
        let settings = try LoRAFiles.settings(in: Fixtures.url("adapters/defaults")) { warnings.append($0) }
        #expect(settings.rank == 8 && settings.targets == .names(["q_proj"]) && settings.excludedModules == nil)
        #expect(!settings.ensuresWeightTying && warnings.isEmpty, "\(warnings)")
    }

    /// A later PEFT writes parameters of methods that this one does not have.
    @Test func anUnknownNumberIsAWarning() throws {
        let adapter = try copy("excluded")
        try edit(adapter) {
            $0["brand_new_group_size"] = 16
            $0["brand_new_share"] = 0.5
            $0["use_brand_new"] = false
        }
        var warnings: [String] = []
        try LoRAFiles.attach(adapter, to: model()) { warnings.append($0) }
        #expect(warnings.count == 2, "\(warnings)")
        #expect(warnings.first?.contains("\"brand_new_group_size\": 16") == true)
        #expect(warnings.last?.contains("\"brand_new_share\": 0.5") == true)
        for value in [true, "x", [1], ["a": 1]] as [Any] {
            try edit(adapter) { $0["use_brand_new"] = value }
            let error = #expect(throws: ModelError.self) { try LoRAFiles.settings(in: adapter) }
            #expect(error?.message.contains("use_brand_new") == true)
        }
    }

    // MARK: Modules

    @Test func excludedLayersAreNotAdapted() throws {
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj", "v_proj"]))
        settings.excludedModules = .names(["v_proj", "layers.2.self_attn.q_proj"])
        let adapted = try model()
        try adapted.attachLoRA(settings)
        #expect(adapted.adapters.map(\.layer) == ["0", "1"].map { "model.layers.\($0).self_attn.q_proj" })
        settings.excludedModules = .pattern(#".*\.1\..*"#)
        let other = try model()
        try other.attachLoRA(settings)
        #expect(other.adapters.count == 4 && !other.adapters.contains { $0.layer.contains(".1.") })
        settings.excludedModules = .names(["v_porj"])
        let unknown = #expect(throws: ModelError.self) { try model().attachLoRA(settings) }
        #expect(
            unknown?.settings == [.excludedModules] && unknown?.message.contains("v_porj") == true)
        settings.excludedModules = .names(["q_proj", "v_proj"])
        let nothing = #expect(throws: ModelError.self) { try model().attachLoRA(settings) }
        #expect(nothing?.settings.entries.contains { $0.setting == .excludedModules } == true)
    }

    /// `mlp` stands for the layers in it, which PEFT then does not adapt.
    @Test func aModuleOfSeveralLayersIsTrainedWhole() throws {
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .allLinear)
        settings.modulesToSave = ["mlp"]
        let adapted = try model()
        try adapted.attachLoRA(settings)
        let whole = adapted.trainedParameters.filter { !$0.name.contains("lora_") }
        #expect(whole.count == 9 && whole.allSatisfy { $0.name.contains(".mlp.") })
        #expect(adapted.adapters.count == 12 && adapted.adapters.allSatisfy { $0.layer.contains("self_attn") })
        // The list of all layers is no module that PEFT could save.
        settings.modulesToSave = ["layers"]
        let error = #expect(throws: ModelError.self) { try model().attachLoRA(settings) }
        #expect(error?.message.contains("\"layers\"") == true)
    }

    // MARK: Embeddings

    @Test func copiesOfATiedEmbeddingAreExplained() throws {
        let error = #expect(throws: ModelError.self) {
            try LoRAFiles.attach(Fixtures.url("adapters/untied-copies"), to: model())
        }
        #expect(error?.message.contains("of its own") == true)
        #expect(error?.description.contains("ensure_weight_tying=True") == true)
    }

    @Test func aResizedVocabularyIsExplained() throws {
        let error = #expect(throws: ModelError.self) {
            try LoRAFiles.attach(Fixtures.url("adapters/resized"), to: model())
        }
        #expect(error?.message.contains("98 rows") == true && error?.message.contains("has 96") == true)
        #expect(error?.description.contains("resize_token_embeddings(98)") == true)
    }

    /// `save_embedding_layers=True`: they are used, and an adapter that would lose them is not trained from this one.
    @Test func savedEmbeddingsAreUsed() throws {
        let adapter = Fixtures.url("adapters/saved-embeddings")
        let loaded = try model("llama-untied")
        let settings = try LoRAFiles.attach(adapter, to: loaded)
        #expect(settings.modulesToSave.isEmpty)
        let expected = try JSONDecoder().decode(
            AdapterTests.Expected.self, from: Data(contentsOf: adapter.appending(path: "expected.json")))
        let tensors = try SafetensorsFile(contentsOf: adapter.appending(path: "expected.safetensors"))
        for (index, ids) in expected.sequences.enumerated() {
            let found: [Float] = try withoutGradient {
                try loaded.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count])).array()
            }
            #expect(try maximumDifference(found, tensors.elements("logits.\(index)", as: Float.self)) < 1e-4)
        }
        let error = #expect(throws: ModelError.self) {
            try LoRAFiles.attach(adapter, to: model("llama-untied"), forTraining: true)
        }
        #expect(error?.message.contains("save_embedding_layers") == true)
        // Those that are the model's own are nothing to lose.
        let same = try copy("saved-embeddings")
        let source = try SafetensorsFile(contentsOf: same.appending(path: LoRAFiles.weightsName))
        let own = try model("llama-untied")
        let tables = [own.embedding, own.head.weight]
        try write(
            source.weights.map { info in
                let table = tables.first { LoRAFiles.prefix + $0.name == info.name }
                let values = try table?.value(.float32).array() ?? source.elements(info.name, as: Float.self)
                return (info.name, info.shape, values)
            }, to: same.appending(path: LoRAFiles.weightsName))
        try LoRAFiles.attach(same, to: model("llama-untied"), forTraining: true)
    }

    private func write(_ tensors: [(name: String, shape: [Int], values: [Float])], to url: URL) throws {
        let writer = try SafetensorsWriter(to: url, tensors: tensors.map { .init($0.name, .float32, $0.shape) })
        for tensor in tensors { try writer.write(tensor.name, tensor.values) }
        try writer.finish()
    }

    // MARK: Other programs

    /// mlx-lm has the same matrices transposed, and one scale.
    @Test(arguments: ["excluded", "dora"]) func mlxAdaptersAreRead(_ name: String) throws {
        let original = Fixtures.url("adapters/\(name)")
        let reference = try model()
        let settings = try LoRAFiles.attach(original, to: reference)
        let converted = folder.url.appending(path: "mlx")
        try FileManager.default.createDirectory(at: converted, withIntermediateDirectories: true)
        let source = try SafetensorsFile(contentsOf: original.appending(path: LoRAFiles.weightsName))
        try write(
            source.weights.map { info in
                let values = try source.elements(info.name, as: Float.self)
                let layer = info.name.replacing(LoRAFiles.prefix, with: "")
                guard info.shape.count == 2 else {
                    return (layer.replacing("lora_magnitude_vector", with: "m"), info.shape, values)
                }
                let (rows, columns) = (info.shape[0], info.shape[1])
                let transposed = (0..<columns).flatMap { column in (0..<rows).map { values[$0 * columns + column] } }
                let ending = layer.replacing("lora_A.weight", with: "lora_a").replacing("lora_B.weight", with: "lora_b")
                return (ending, [columns, rows], transposed)
            }, to: converted.appending(path: MLXAdapter.weightsName))
        // As mlx_lm.lora 0.32 writes it, in part.
        let configuration: [String: Any] = [
            "model": "llama-tiny", "fine_tune_type": name == "dora" ? "dora" : "lora", "num_layers": 16,
            "batch_size": 4,
            "learning_rate": 1e-5,
            "lora_parameters": [
                "rank": settings.rank, "scale": settings.alpha / Double(settings.rank), "dropout": 0.0,
            ] as [String: Any],
        ]
        let file = converted.appending(path: LoRAFiles.configurationName)
        try JSONSerialization.data(withJSONObject: configuration).write(to: file)
        let loaded = try model()
        let read = try LoRAFiles.attach(converted, to: loaded)
        #expect(read.rank == settings.rank && read.usesDoRA == settings.usesDoRA && read.alpha == settings.alpha)
        #expect(try logits(loaded) == logits(reference))
        // Saved, it is an adapter of PEFT's.
        try SavedForm.adapter(read, baseModel: "llama-tiny").write(loaded.trainedValues(), to: folder.url)
        let again = try model()
        try LoRAFiles.attach(folder.url, to: again)
        #expect(try logits(again) == logits(reference))
        for (change, word) in [
            (["fine_tune_type": "full"], "mlx_lm.fuse"), (["lora_parameters": ["rank": 2]], "scale"),
        ] as [([String: Any], String)] {
            try JSONSerialization.data(withJSONObject: configuration.merging(change) { $1 }).write(to: file)
            let error = #expect(throws: ModelError.self) { try LoRAFiles.attach(converted, to: model()) }
            #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
        }
        try JSONSerialization.data(withJSONObject: configuration).write(to: file)
        try FileManager.default.removeItem(at: converted.appending(path: MLXAdapter.weightsName))
        let missing = #expect(throws: ModelError.self) { try LoRAFiles.attach(converted, to: model()) }
        #expect(missing?.description.contains("N_adapters.safetensors") == true)
    }

    @Test func picklesAreNamedWithWhatToDo() throws {
        let adapter = try copy("excluded")
        let weights = adapter.appending(path: LoRAFiles.weightsName)
        try FileManager.default.moveItem(at: weights, to: adapter.appending(path: "adapter_model.bin"))
        let error = #expect(throws: ModelError.self) { try LoRAFiles.attach(adapter, to: model()) }
        #expect(error?.description.contains("weights_only=True") == true && error?.place?.hasSuffix(".bin") == true)
        try FileManager.default.removeItem(at: adapter.appending(path: "adapter_model.bin"))
        let missing = #expect(throws: ModelError.self) { try LoRAFiles.attach(adapter, to: model()) }
        #expect(missing?.code == .notFound && missing?.place == weights.path)
    }
}
