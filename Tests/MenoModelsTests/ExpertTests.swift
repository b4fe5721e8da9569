import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// What mixtures of experts have beside what every family has (`make_models.py`, `make_expert_adapters.py`).
@Suite(.drawsRandomNumbers) struct ExpertTests {
    /// Each has the name of its model before that of its form.
    static let adapters = [
        ("mixtral-tiny", "former"), ("qwen3-moe-tiny", "former"), ("qwen3-moe-tiny", "gate-up"),
        ("qwen3-moe-tiny", "down"), ("gpt-oss-tiny", "both"), ("granitemoe-tiny", "router"),
    ]

    private func compare(_ model: Decoder, _ name: String, _ expected: URL, _ prefix: String) throws {
        let reference = try Reference(name)
        let file = try SafetensorsFile(contentsOf: expected)
        try withoutGradient {
            for (index, ids) in reference.sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                let floats = try file.elements("\(prefix).\(index)", as: Float.self)
                #expect(try relativeError(logits.array(), floats) < 1e-5, "\(name)")
            }
        }
    }

    /// Adapters of both layouts load, and what is written of them loads as the same.
    @Test(arguments: adapters) func adaptersOfExpertsComputeAsPEFTs(_ name: String, _ form: String) throws {
        let source = Fixtures.url("expert-adapters/\(name)-\(form)")
        let expected = source.appending(path: "expected.safetensors")
        let model = try Reference(name).files.load(dtype: .float32)
        let settings = try LoRAFiles.attach(source, to: model)
        try compare(model, name, expected, "logits")
        let folder = try TemporaryFolder()
        try SavedForm.adapter(settings, baseModel: name).write(model.trainedValues(), to: folder.url)
        let again = try Reference(name).files.load(dtype: .float32)
        let settingsAgain = try LoRAFiles.attach(folder.url, to: again)
        #expect(settingsAgain.targetParameters == settings.targetParameters)
        try compare(again, name, expected, "logits")
        // What is continued has the same values, whichever layout they came in.
        try SavedForm.adapter(settings, baseModel: name).restore(again, from: folder.url)
    }

    /// The layouts that transformers 5 holds in memory.
    @Test(arguments: ["mixtral-tiny", "qwen3-moe-tiny", "granitemoe-tiny", "gpt-neox-tiny"])
    func otherLayoutsOfFilesGiveTheSameLogits(_ name: String) throws {
        let folder = Fixtures.url("models/\(name)")
        let own = try Set(SafetensorsFile(contentsOf: folder.appending(path: "model.safetensors")).weights.map(\.name))
        let fused = folder.appending(path: "fused")
        let other = try Set(SafetensorsFile(contentsOf: fused.appending(path: "model.safetensors")).weights.map(\.name))
        #expect(own != other)
        let model = try ModelFiles(fused).load(dtype: .float32)
        try compare(model, name, folder.appending(path: "expected.safetensors"), "logits")
    }

    /// Decoded while loading, or where they are multiplied.
    @Test(arguments: [("gpt-oss", WeightForm.dense), ("experts.gguf", .dense), ("experts.gguf", .packed)])
    func packedExpertsComputeAsDecodedOnes(_ file: String, _ form: WeightForm) throws {
        let folder = Fixtures.url("packed-experts")
        let model = try ModelFiles(folder.appending(path: file)).load(dtype: .float32, form: form)
        #expect(model.experts[0].layers.gates[0].weight.matrix?.isPacked == (form == .packed))
        let expected = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
        let floats = try expected.elements(file.replacing(".gguf", with: ""), as: Float.self)
        let logits: [Float] = try withoutGradient {
            try model.logits(inputIDs: Array(3..<30), layout: SequenceLayout(lengths: [27])).array()
        }
        #expect(relativeError(logits, floats) < 1e-5)
    }

    /// bitsandbytes' forms: what chooses experts is not quantised.
    @Test func expertsAreQuantisedWhileLoading() throws {
        let file = Fixtures.url("packed-experts/experts.gguf")
        let plain = try ModelFiles(Fixtures.url("packed-experts/gpt-oss"))
        #expect(throws: ModelError.self) {
            try ModelFiles(file).load(dtype: .float32, quantization: .init(.eightBits))
        }
        let model = try plain.load(dtype: .float32, quantization: .init(.fourBits(.nf4, nested: false)))
        #expect(model.experts[0].layers.ups.allSatisfy { $0.weight.matrix?.isPacked == true })
        #expect(model.experts[0].router.linear.weight.matrix?.isPacked == false)
    }

    @Test func dropoutLeavesExpertsFrozen() throws {
        let model = try Reference("qwen3-moe-tiny").files.load(dtype: .float32)
        let settings = try model.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0.1, targets: .allLinear))
        #expect(settings.targetParameters.isEmpty)
        #expect(model.adapters.allSatisfy { $0.layer.contains("self_attn") })
        let experts = model.experts.reduce(0) { $0 + $1.parameters.dropFirst().reduce(0) { $0 + $1.count } }
        #expect(abs(model.frozenExpertShare - Double(experts) / Double(model.parameterCount)) < 1e-12)
        #expect(model.frozenExpertShare > 0.3)
        let all = try Reference("qwen3-moe-tiny").files.load(dtype: .float32)
        try all.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .allLinear))
        #expect(all.frozenExpertShare == 0)
        #expect(try Reference("qwen3-tiny").files.load(dtype: .float32).frozenExpertShare == 0)
    }

    @Test func parametersAreNamedAsPEFTNamesThem() throws {
        func attached(_ settings: (inout LoRASettings) -> Void) throws -> (Set<String>, LoRASettings) {
            let model = try Reference("qwen3-moe-tiny").files.load(dtype: .float32)
            var given = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names([]))
            settings(&given)
            let result = try model.attachLoRA(given)
            let names = model.trainedParameters.map { $0.name.replacing("model.layers.0.", with: "") }
            return (Set(names.filter { !$0.hasPrefix("model.") && $0.hasSuffix("A.weight") }), result)
        }
        let gateUp = try attached { $0.targetParameters = ["gate_up_proj"] }
        #expect(gateUp.0 == ["mlp.experts.lora_A.weight"])
        let router = try attached { $0.targetParameters = ["mlp.gate.weight"] }
        #expect(router.0 == ["mlp.gate.lora_A.weight"])
        let one = try attached { $0.targetParameters = ["layers.0.mlp.experts.down_proj", "v_proj.weight"] }
        #expect(one.0 == ["mlp.experts.lora_A.weight", "self_attn.v_proj.lora_A.weight"])
        // Names of modules that are parameters since transformers 5.
        let former = try attached { $0.targets = .names(["gate_proj", "up_proj", "down_proj", "q_proj"]) }
        #expect(
            former.0 == [
                "self_attn.q_proj.lora_A.weight", "mlp.experts.lora_A.weight", "mlp.experts.base_layer.lora_A.weight",
            ])
        #expect(former.1.targets == .names(["q_proj"]))
        #expect(former.1.rankPattern.entries.map(\.value) == [4])
    }

    @Test func targetsThatMatchNothingAreRefused() throws {
        let model = try Reference("qwen3-moe-tiny").files.load(dtype: .float32)
        var settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["q_proj"]))
        settings.targetParameters = ["experts.gate_proj"]
        let error = #expect(throws: ModelError.self) { try model.attachLoRA(settings) }
        #expect(error?.message.contains("experts.gate_proj") == true)
        #expect(error?.advice?.contains("experts.gate_up_proj") == true)
        settings.targetParameters = ["experts.down_proj"]
        settings.dropout = 0.1
        #expect(throws: ModelError.self) { try model.attachLoRA(settings) }
        #expect(throws: ModelError.self) {
            try model.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["gate_proj"])))
        }
    }

    /// In bfloat16 another expert may be chosen where two are near: there is nothing to compare with.
    @Test(arguments: ["qwen3-moe-tiny", "gpt-oss-tiny", "glm4-moe-tiny"]) func bfloat16IsComputed(_ name: String) throws
    {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: .bfloat16)
        let ids = reference.sequences[1]
        let answer = try model.generate(prompt: ids, maxNewTokens: 4, stopTokens: []).tokens
        #expect(answer.count == 4)
        let logits: [Float] = try withoutGradient {
            try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count])).array()
        }
        #expect(logits.allSatisfy { $0.isFinite })
    }

    @Test func choicesAreGroupedByTheirExperts() {
        let groups = ExpertGroups([2, 0, 2, 1, 0, 2], of: 4)
        #expect(groups.experts == [0, 1, 2] && groups.sizes == [2, 1, 3])
        #expect(groups.order == [1, 4, 3, 0, 2, 5])
        #expect(groups.inverse == [3, 0, 4, 2, 1, 5])
    }
}
