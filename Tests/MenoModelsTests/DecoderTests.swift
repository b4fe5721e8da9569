import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Against what transformers and PEFT computed with the same weights (`Tests/Reference/make_models.py`).
@Suite(.drawsRandomNumbers) struct DecoderTests {
    static let names = ["gemma3-tiny", "gemma2-tiny", "llama-tiny", "llama-untied"] + Fixtures.families

    @Test(arguments: names) func logitsEqualTransformers(_ name: String) throws {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: .float32)
        try withoutGradient {
            for (index, ids) in reference.sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                #expect(try maximumDifference(logits.array(), reference.floats("logits.\(index)")) < 1e-4)
                #expect(try relativeError(logits.array(), reference.floats("logits.\(index)")) < 1e-5)
            }
            try LoRAFiles.attach(reference.folder.appending(path: "adapter"), to: model)
            for (index, ids) in reference.sequences.enumerated() {
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                #expect(try maximumDifference(logits.array(), reference.floats("adapted_logits.\(index)")) < 1e-4)
            }
        }
    }

    @Test(arguments: names, [false, true]) func adapterGradientsEqualPEFT(_ name: String, checkpointing: Bool) throws {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: .float32)
        try LoRAFiles.attach(reference.folder.appending(path: "adapter"), to: model)
        model.checkpointedLayers = checkpointing ? model.configuration.layerCount : 0
        let losses = try model.loss(
            inputIDs: reference.sequences.flatMap { $0 }, labels: reference.labels.flatMap { $0 },
            layout: SequenceLayout(lengths: reference.sequences.map(\.count))
        ).losses
        #expect(losses.values.count == reference.labelCount)
        let loss = try losses.sum / Double(reference.labelCount)
        #expect(abs(try loss.item() - reference.loss) < 1e-5 * reference.loss)
        try loss.backward()
        #expect(!model.trainedParameters.isEmpty)
        for parameter in model.trainedParameters {
            let gradient = try #require(try parameter.tensor.gradient())
            let error = try relativeError(gradient.array(), reference.floats("gradient.\(parameter.name)"))
            #expect(error < 1e-4, "\(parameter.name)")
        }
    }

    @Test(arguments: names) func packingAndPaddingChangeNothing(_ name: String) throws {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: .float32)
        try withoutGradient {
            let separate = try zip(reference.sequences, reference.labels).flatMap { ids, labels in
                try model.loss(inputIDs: ids, labels: labels, layout: SequenceLayout(lengths: [ids.count]))
                    .losses.values
            }
            let packed = try model.loss(
                inputIDs: reference.sequences.flatMap { $0 }, labels: reference.labels.flatMap { $0 },
                layout: SequenceLayout(lengths: reference.sequences.map(\.count))
            ).losses.values
            #expect(maximumDifference(packed, separate) < 1e-4)
            // Padding would make a sequence longer, and rotate it by other angles.
            guard !model.configuration.dependsOnLength else { return }
            let length = 32
            let padded = try model.loss(
                inputIDs: reference.sequences.flatMap { $0 + Array(repeating: 0, count: length - $0.count) },
                labels: reference.labels.flatMap { $0 + Array(repeating: -100, count: length - $0.count) },
                layout: SequenceLayout(lengths: [length, length, length])
            ).losses.values
            #expect(maximumDifference(padded, separate) < 1e-4)
        }
    }

    @Test(arguments: names) func greedyGenerationEqualsTransformers(_ name: String) throws {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: .float32)
        let context = model.configuration.maximumPositions
        for tokens in [context, Int.max] {
            let error = #expect(throws: ModelError.self) {
                try model.generate(prompt: reference.sequences[0], maxNewTokens: tokens, stopTokens: [])
            }
            #expect(error?.message.contains("\(context)") == true)
        }
        for (ids, continuation) in zip(reference.sequences, reference.continuations) {
            #expect(try model.generate(prompt: ids, maxNewTokens: 12, stopTokens: []).tokens == continuation)
        }
        let first = reference.continuations[0]
        let stopped = try model.generate(
            prompt: reference.sequences[0], maxNewTokens: 12, stopTokens: [first[3]])
        #expect(stopped.end == .stopToken)
        #expect(stopped.tokens == Array(first.prefix { $0 != first[3] }))
    }

    /// Several prompts are continued as each is alone, with every token the same.
    @Test(arguments: names, [DType.float32, .bfloat16])
    func promptsAreContinuedTogether(_ name: String, _ dtype: DType) throws {
        let reference = try Reference(name)
        let model = try reference.files.load(dtype: dtype)
        let prompts = reference.sequences + reference.sequences.map { Array($0.prefix(3)) }
        let alone = try prompts.map { try model.generate(prompt: $0, maxNewTokens: 12, stopTokens: []).tokens }
        let together = try model.generate(prompts: prompts, maxNewTokens: 12, stopTokens: [])
        #expect(together.map(\.tokens) == alone)
        // One that ends is left out, and the others go on.
        let stop = alone[0][2]
        let stopped = try model.generate(prompts: prompts, maxNewTokens: 12, stopTokens: [stop])
        #expect(stopped.map(\.tokens) == alone.map { Array($0.prefix { $0 != stop }) })
        #expect(stopped.map(\.end) == alone.map { $0.contains(stop) ? .stopToken : .length })
        let cut = try model.generate(prompts: prompts, maxNewTokens: 12, stopTokens: []) { index, _ in index != 1 }
        #expect(cut[1].tokens == [alone[1][0]] && cut[1].end == .cancelled)
        #expect(cut[2].tokens == alone[2])
    }

    @Test func savedAdaptersAreReadBack() throws {
        let reference = try Reference("gemma3-tiny")
        let adapter = reference.folder.appending(path: "adapter")
        let folder = FileManager.default.temporaryDirectory.appending(path: "meno-adapter-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try reference.files.load(dtype: .float32)
        let settings = try LoRAFiles.attach(adapter, to: model)
        try SavedForm.adapter(settings, baseModel: "gemma3-tiny").write(model.trainedValues(), to: folder)
        let again = try reference.files.load(dtype: .float32)
        let settingsAgain = try LoRAFiles.attach(folder, to: again)
        #expect(settingsAgain.rank == 4 && settingsAgain.alpha == 8)
        for (one, other) in zip(model.trainedParameters, again.trainedParameters) {
            #expect(one.name == other.name)
            #expect(try one.tensor.detached().array(of: Float.self) == other.tensor.detached().array(of: Float.self))
        }
    }

    @Test func anAdapterOfAnotherModelIsRefused() throws {
        let model = try Reference("llama-untied").files.load(dtype: .float32)
        let other = try Reference("gemma3-tiny").folder.appending(path: "adapter")
        let error = #expect(throws: ModelError.self) { try LoRAFiles.attach(other, to: model) }
        #expect(error?.code == .mismatch)
    }

    @Test func aTokenOutsideTheVocabularyIsRefused() throws {
        let model = try Reference("llama-untied").files.load(dtype: .float32)
        #expect(throws: ModelError.self) { try model.logits(inputIDs: [96], layout: SequenceLayout(lengths: [1])) }
    }

    @Test func targetsThatMatchNothingAreRefused() throws {
        let model = try Reference("llama-untied").files.load(dtype: .float32)
        let settings = LoRASettings(rank: 2, alpha: 4, dropout: 0, targets: .names(["qproj"]))
        let error = #expect(throws: ModelError.self) { try model.attachLoRA(settings) }
        #expect(error?.advice?.contains("q_proj") == true)
    }
}
