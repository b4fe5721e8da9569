import ArgumentParser
import Foundation
import MenoModels

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Describes a model.")

    @Argument(help: "A Hugging Face folder or a .gguf file.") var path: String

    func run() throws {
        try reportingErrors {
            let files = try ModelFiles(URL(filePath: path))
            let model = files.configuration
            let windows = model.layers.compactMap(\.slidingWindow)
            print("architecture   \(model.modelType)")
            print("parameters     \(files.parameterCount) in \(files.storedWeights.count) tensors")
            print(
                "layers         \(model.layerCount), \(windows.count) of them within a window of \(windows.first ?? 0)")
            print("hidden         \(model.hiddenSize), feed-forward \(model.intermediateSize)")
            print(
                "heads          \(model.headCount) × \(model.headDimension), keys and values \(model.keyValueHeadCount)"
            )
            print(
                "vocabulary     \(model.vocabularySize), \(model.tiesEmbeddings ? "shared with" : "apart from") the head"
            )
            let storage = Dictionary(grouping: files.storedWeights, by: \.storage).mapValues(\.count)
            print(
                "storage        \(storage.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value)" }.joined(separator: ", "))"
            )
        }
    }
}
