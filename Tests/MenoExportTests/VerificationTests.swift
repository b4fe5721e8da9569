import Foundation
import MenoExport
import MenoFormats
import MenoModels
import MenoTensor
import MenoTesting
import MenoTokenizers
import Testing

/// An export that does something else than what was trained must be caught.
@Suite struct VerificationTests {
    private static let chatML = ChatTemplate.chatML

    /// A folder with a tokenizer that has ChatML's markers.
    private func tokenizer(
        _ folder: TemporaryFolder, _ name: String, template: String?, eos: String = "<|im_end|>", ends: [Int] = []
    ) throws -> Tokenizer {
        let url = folder.url.appending(path: name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        let source = Fixtures.url("tokenizers/families/qwen.tokenizer.json")
        var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: source)) as? [String: Any])
        var added = json["added_tokens"] as? [[String: Any]] ?? []
        let next = (added.compactMap { $0["id"] as? Int }.max() ?? 1000) + 1
        for (index, token) in ["<|im_start|>", "<|im_end|>", "<end>"].enumerated()
        where !added.contains(where: { $0["content"] as? String == token }) {
            added.append(["id": next + index, "content": token, "special": true, "normalized": false])
        }
        json["added_tokens"] = added
        try JSONSerialization.data(withJSONObject: json).write(to: url.appending(path: "tokenizer.json"))
        var configuration = ["eos_token": eos]
        configuration["chat_template"] = template
        try JSONSerialization.data(withJSONObject: configuration).write(
            to: url.appending(path: "tokenizer_config.json"))
        return try Tokenizer.load(url)
    }

    @Test func aWrongTemplateOrEndIsCaught() throws {
        let folder = try TemporaryFolder()
        let trained = try tokenizer(folder, "trained", template: nil)
        let right = Self.chatML.source
        try ExportVerification.compareTexts(
            template: Self.chatML, tokenizer: trained, exported: tokenizer(folder, "right", template: right))
        let sabotaged: [(String, String?, String)] = [
            ("no template", nil, "<|im_end|>"),
            ("no newline", right.replacing("{{- '\\n' -}}", with: ""), "<|im_end|>"),
            ("other role", right.replacing("assistant", with: "model"), "<|im_end|>"), ("other end", right, "<end>"),
        ]
        for (name, template, eos) in sabotaged {
            let exported = try tokenizer(folder, name, template: template, eos: eos)
            let error = #expect(throws: ExportError.self, "\(name)") {
                try ExportVerification.compareTexts(template: Self.chatML, tokenizer: trained, exported: exported)
            }
            #expect(error?.code == .differs)
        }
    }

    @Test func anAdapterScaledByHalfIsCaught() throws {
        let name = "llama-tiny"
        let folder = try TemporaryFolder()
        let ids = (0..<40).map { Int32(($0 * 37 + 5) % 96) }
        let samples = [ExportVerification.Sample(ids: ids, labels: ids)]
        let trained = try ModelFiles(Fixtures.url("models/\(name)")).load(dtype: .float32)
        let base = try ExportVerification.losses(of: trained, samples)
        try LoRAFiles.attach(Fixtures.url("models/\(name)/adapter"), to: trained)
        let expected = try ExportVerification.losses(of: trained, samples)

        func exported(alphaFactor: Double) throws -> [Double] {
            let adapter = folder.url.appending(path: "adapter-\(alphaFactor)")
            try FileManager.default.copyItem(at: Fixtures.url("models/\(name)/adapter"), to: adapter)
            let file = adapter.appending(path: "adapter_config.json")
            var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
            json["lora_alpha"] = alphaFactor * (try #require(json["lora_alpha"] as? Double))
            try JSONSerialization.data(withJSONObject: json).write(to: file)
            let model = try StoredModel(Fixtures.url("models/\(name)"))
            let stage = try ExportStage(for: folder.url.appending(path: "out-\(alphaFactor)"))
            _ = try HuggingFaceExport(MergedModel(model, try StoredAdapter(adapter, for: model)), elementType: .float16)
                .write(to: stage)
            return try ExportVerification.losses(of: ModelFiles(stage.folder).load(dtype: .float32), samples)
        }
        let outcome = try ExportVerification.compare(
            trained: expected, exported: exported(alphaFactor: 1), base: base, storage: .float16)
        #expect(outcome.largestDifference < outcome.bound)
        let error = #expect(throws: ExportError.self) {
            try ExportVerification.compare(
                trained: expected, exported: exported(alphaFactor: 0.5), base: base, storage: .float16)
        }
        #expect(error?.code == .differs)
        #expect(throws: ExportError.self) {
            try ExportVerification.compare(trained: [1], exported: [.nan], base: nil, storage: .fourBits)
        }
    }
}
