import Foundation
import MenoFormats
import MenoModels
import MenoTesting

/// One folder of fixtures.
struct Reference {
    let folder: URL
    let files: ModelFiles
    let sequences: [[Int32]]
    let labels: [[Int32]]
    let continuations: [[Int32]]
    let loss: Double
    let labelCount: Int
    private let tensors: SafetensorsFile

    private struct Values: Decodable {
        var sequences: [[Int32]]
        var labels: [[Int32]]
        var continuations: [[Int32]]
        var loss: Double
        var labelCount: Int
    }

    init(_ name: String) throws {
        folder = Fixtures.url("models/\(name)")
        files = try ModelFiles(folder)
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        (sequences, labels, continuations) = (values.sequences, values.labels, values.continuations)
        (loss, labelCount) = (values.loss, values.labelCount)
        tensors = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
    }

    func floats(_ name: String) throws -> [Float] { try tensors.elements(name, as: Float.self) }
}
