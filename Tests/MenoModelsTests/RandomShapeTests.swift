import Foundation
import MenoFormats
import MenoTensor
import MenoTesting
import Testing

@testable import MenoModels

/// Reads the models that `Tests/Reference/try_random_shapes.py` writes to the folder that `MENO_RANDOM_MODELS` names, and writes
/// how far each is from transformers beside them.
@Suite struct RandomShapeTests {
    static let folder = ProcessInfo.processInfo.environment["MENO_RANDOM_MODELS"].map { URL(filePath: $0) }

    private struct Expected: Decodable {
        var sequences: [[Int32]]
        var continuation: [Int32]
        var labelCount: Int
    }

    @Test(.enabled(if: folder != nil)) func shapes() throws {
        guard let folder = Self.folder else { return }
        let folders = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { FileManager.default.fileExists(atPath: $0.appending(path: "expected.json").path) }
            .sorted { $0.path < $1.path }
        var lines: [String] = []
        for folder in folders {
            do {
                lines.append("\(folder.lastPathComponent)\t\(try figures(folder).joined(separator: "\t"))")
            } catch {
                let reason = "\(error)".replacing("\n", with: " ")
                lines.append("\(folder.lastPathComponent)\trefused\t\(reason)")
            }
        }
        try lines.joined(separator: "\n").write(
            to: folder.appending(path: "results.tsv"), atomically: true, encoding: .utf8)
    }

    private func figures(_ folder: URL) throws -> [String] {
        let expected = try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        let tensors = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
        let model = try ModelFiles(folder).load(dtype: .float32)
        let inFolder = try logits(model, expected, tensors)
        let file = folder.appending(path: "model.gguf")
        let inFile =
            FileManager.default.fileExists(atPath: file.path)
            ? try "\(logits(ModelFiles(file).load(dtype: .float32), expected, tensors))" : "-"
        let continuation = try model.generate(
            prompt: expected.sequences[1], maxNewTokens: expected.continuation.count, stopTokens: []
        ).tokens
        let gradient = try gradients(folder, model, expected, tensors)
        return [
            "\(inFolder)", inFile, "\(gradient)",
            continuation == expected.continuation ? "equal" : "\(continuation) not \(expected.continuation)",
        ]
    }

    private func logits(_ model: Decoder, _ expected: Expected, _ tensors: SafetensorsFile) throws -> Float {
        try withoutGradient {
            // All at once, as training packs them.
            let all = try model.logits(
                inputIDs: expected.sequences.flatMap { $0 },
                layout: SequenceLayout(lengths: expected.sequences.map(\.count)))
            let packed: [Float] = try all.array()
            let wanted = try expected.sequences.indices.flatMap { index in
                try tensors.elements("logits.\(index)", as: Float.self)
            }
            let apart = try expected.sequences.enumerated().map { index, ids in
                let logits = try model.logits(inputIDs: ids, layout: SequenceLayout(lengths: [ids.count]))
                return try Float(relativeError(logits.array(), tensors.elements("logits.\(index)", as: Float.self)))
            }
            // Rotary frequencies that follow the length follow that of the longest sequence.
            let isDynamic = model.configuration.layers.contains { $0.attention.rotary?.dependsOnLength ?? false }
            return max(apart.max() ?? 0, isDynamic ? 0 : Float(relativeError(packed, wanted)))
        }
    }

    private func gradients(
        _ folder: URL, _ model: Decoder, _ expected: Expected, _ tensors: SafetensorsFile
    ) throws -> Float {
        let adapter = folder.appending(path: "adapter")
        guard FileManager.default.fileExists(atPath: adapter.path) else { return 0 }
        try LoRAFiles.attach(adapter, to: model)
        for sequence in expected.sequences.dropFirst() {
            let losses = try model.loss(
                inputIDs: sequence, labels: sequence, layout: SequenceLayout(lengths: [sequence.count])
            ).losses
            try (losses.sum / Double(expected.labelCount)).backward()
        }
        let pairs: [(ours: [Float], theirs: [Float])] = try model.trainedParameters.map { parameter in
            (
                try parameter.tensor.gradient()?.array() ?? [],
                try tensors.elements("gradient.\(parameter.name)", as: Float.self)
            )
        }
        // Where a gradient is zero, as of a router that chooses one expert, there is nothing but rounding.
        let largest = pairs.map { length($0.theirs) }.max() ?? 0
        return pairs.map { ours, theirs in
            length(zip(ours, theirs).map { $0 - $1 }) / max(length(theirs), 1e-4 * largest, .leastNormalMagnitude)
        }.max() ?? 0
    }

    private func length(_ values: [Float]) -> Float {
        Float(values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }
}
