import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// What every architecture's files have in common.
@Suite(.drawsRandomNumbers) struct FamilyTests {
    /// Those that llama.cpp has.
    static let inGGUF = Fixtures.families.filter {
        FileManager.default.fileExists(atPath: Fixtures.url("models/\($0)/model.gguf").path)
    }

    @Test func mostHaveAGGUFFile() { #expect(Self.inGGUF.count == 38) }

    /// The same model from a GGUF file, whose names the `gguf` package chose.
    @Test(arguments: inGGUF) func ggufFilesGiveTheSameLogits(_ name: String) throws {
        let reference = try Reference(name)
        let model = try ModelFiles(reference.folder.appending(path: "model.gguf")).load(dtype: .float32)
        try withoutGradient {
            for (index, ids) in reference.sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                #expect(try relativeError(logits.array(), reference.floats("logits.\(index)")) < 1e-5)
            }
        }
    }

    /// Saved whole, a model has the names, shapes and values that transformers wrote.
    @Test(arguments: Fixtures.families) func savedModelsAreTransformersOwn(_ name: String) throws {
        let source = Fixtures.url("models/\(name)")
        let model = try ModelFiles(source).load(dtype: .float32)
        try model.trainAllParameters()
        let folder = try TemporaryFolder()
        try SavedForm.model(source: source).write(model.trainedValues(), to: folder.url)
        let (before, after) = try (
            SafetensorsFile(contentsOf: source.appending(path: "model.safetensors")),
            SafetensorsFile(contentsOf: folder.url.appending(path: "model.safetensors"))
        )
        #expect(Set(before.weights.map(\.name)) == Set(after.weights.map(\.name)))
        for weight in before.weights {
            let values = try after.elements(weight.name, as: Float.self)
            #expect(try values == before.elements(weight.name, as: Float.self), "\(weight.name)")
        }
        #expect(try ModelFiles(folder.url).configuration.modelType == model.configuration.modelType)
    }

    /// `all-linear` names the layers that PEFT adapted, in the model's own terms.
    @Test(arguments: Fixtures.families) func allLinearIsWhatPEFTAdapts(_ name: String) throws {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: .float32)
        let settings = try model.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .allLinear))
        let saved = try SafetensorsFile(
            contentsOf: reference.folder.appending(path: "adapter/adapter_model.safetensors"))
        let adapters = model.trainedParameters.map { "base_model.model." + $0.name }
        #expect(Set(adapters) == Set(saved.weights.map(\.name)))
        guard case .names(let names) = settings.targets else {
            Issue.record("no names")
            return
        }
        #expect(LoRATargets.areAllLinear(names))
        // PEFT leaves layers out that are called like experts.
        let adapted = model.linears.filter { $0.linear.adapter != nil || model.experts.isEmpty }
        #expect(Set(names) == Set(adapted.map { String($0.name.split(separator: ".").last!) }))
    }

    // MARK: The registry

    @Test func architecturesHaveNamesOfTheirOwn() {
        let types = Architecture.modelTypes
        #expect(Set(types).count == types.count)
        let inGGUF = Architecture.all.flatMap(\.ggufNames)
        #expect(Set(inGGUF).count == inGGUF.count)
    }

    @Test(arguments: Architecture.all.map(\.modelType)) func namesAreReadInBothDirections(_ type: String) throws {
        let names = try Architecture.named(modelType: type, path: nil).names
        for part in WeightPart.allCases where names.has(part) {
            let layer = part.isInLayer ? 12 : nil
            let transformers = names.place(transformers: names.transformers(part, layer: layer) + ".weight")
            let gguf = names.place(gguf: names.gguf(part, layer: layer) + ".bias")
            #expect(transformers?.part == part && transformers?.layer == layer && transformers?.kind == "weight")
            #expect(gguf?.part == part && gguf?.layer == layer && gguf?.kind == "bias")
        }
        #expect(names.place(transformers: "model.layers.x.mlp.up_proj.weight") == nil)
        #expect(names.place(gguf: "blk.0.nothing.weight") == nil)
    }

    @Test func anUnknownArchitectureIsRefusedWithTheNearest() {
        let error = #expect(throws: ModelError.self) {
            try Architecture.named(modelType: "qwen33", path: "config.json")
        }
        #expect(
            error?.code == .unsupported && error?.description.contains("The nearest supported one is qwen3.") == true)
        #expect(error?.description.contains("gemma3_text") == true)
    }
}
