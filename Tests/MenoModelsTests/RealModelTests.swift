import Foundation
import MenoModels
import MenoTesting
import Testing

/// Against transformers with the same dequantised weights (`Tests/Reference/make_real_models.py`), where the model is
/// in the user's cache.
@Suite(.serialized) struct RealModelTests {
    struct Values: Decodable {
        var ids: [Int32]
        var nll: [Float]
    }

    @Test(
        "Gemma 3 270M, Q4_K_M",
        .enabled(if: Fixtures.model("gemma-3-270m-q4_k_m.gguf") != nil, "the model is not in the cache"))
    func gemma() throws { try compare("gemma-3-270m-q4_k_m.gguf") }

    @Test(
        "SmolLM2 135M, Q4_1",
        .enabled(if: Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf") != nil, "the model is not in the cache"))
    func smolLM2() throws { try compare("SmolLM2-135M-Instruct.Q4_1.gguf") }

    private func compare(_ file: String) throws {
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: Fixtures.url("real/\(file).json")))
        let model = try ModelFiles(#require(Fixtures.model(file))).load(dtype: .float32)
        let ours = try model.loss(
            inputIDs: values.ids, labels: values.ids, layout: SequenceLayout(lengths: [values.ids.count])
        ).losses.values
        let (sum, reference) = (ours.reduce(0, +), values.nll.reduce(0, +))
        #expect(abs(sum - reference) < 1e-4 * reference, "\(sum) beside \(reference)")
        #expect(maximumDifference(ours, values.nll) < 5e-3)
    }
}
