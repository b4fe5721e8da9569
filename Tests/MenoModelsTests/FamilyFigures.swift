import Foundation
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Writes how far every tiny model is from its reference, for `Tests/Reference/family_table.py`, where `MENO_FAMILY_FIGURES`
/// names a file.
@Suite struct FamilyFigures {
    static let path = ProcessInfo.processInfo.environment["MENO_FAMILY_FIGURES"]

    @Test(.enabled(if: path != nil)) func figures() throws {
        let lines = try DecoderTests.names.map { name in
            let reference = try Reference(name)
            let gguf = reference.folder.appending(path: "model.gguf")
            let hasGGUF = FileManager.default.fileExists(atPath: gguf.path)
            let model = try reference.files.load(dtype: .float32)
            let folder = try logits(model, reference, "logits")
            var inGGUF = "-"
            if hasGGUF {
                let other = try ModelFiles(gguf).load(dtype: .float32)
                inGGUF = try "\(logits(other, reference, "logits"))"
            }
            try LoRAFiles.attach(reference.folder.appending(path: "adapter"), to: model)
            let targets = Set(model.adapters.map { $0.layer.split(separator: ".").last.map(String.init) ?? "" })
                .sorted()
            let worst = try gradients(model, reference)
            let fields = [
                name, model.configuration.modelType, "\(folder)", inGGUF, "\(worst)",
                targets.joined(separator: " "),
            ]
            return fields.joined(separator: "\t")
        }
        try lines.joined(separator: "\n").write(toFile: Self.path ?? "", atomically: true, encoding: .utf8)
    }

    private func logits(_ model: Decoder, _ reference: Reference, _ prefix: String) throws -> Float {
        try withoutGradient {
            try reference.sequences.enumerated().map { index, ids in
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                return try Float(relativeError(logits.array(), reference.floats("\(prefix).\(index)")))
            }.max() ?? 0
        }
    }

    private func gradients(_ model: Decoder, _ reference: Reference) throws -> Float {
        let losses = try model.loss(
            inputIDs: reference.sequences.flatMap { $0 }, labels: reference.labels.flatMap { $0 },
            layout: SequenceLayout(lengths: reference.sequences.map(\.count))
        ).losses
        try (losses.sum / Double(reference.labelCount)).backward()
        return try model.trainedParameters.map { parameter in
            let gradient: [Float] = try parameter.tensor.gradient()?.array() ?? []
            return try Float(relativeError(gradient, reference.floats("gradient.\(parameter.name)")))
        }.max() ?? 0
    }
}
