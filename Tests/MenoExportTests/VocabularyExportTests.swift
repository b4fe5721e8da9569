import Foundation
import MenoExport
import MenoFormats
import MenoTesting
import MenoTokenizers
import Testing

/// A `tokenizer.json` becomes the vocabulary of a GGUF file that cuts texts in the same way.
@Suite struct VocabularyExportTests {
    struct Case: Decodable {
        var text: String
        var ids: [TokenID]
    }

    @Test(arguments: ["gpt2", "llama3", "qwen", "smollm", "llama2", "gemma"])
    func textsBecomeTheSameTokens(_ family: String) throws {
        let source = Fixtures.url("tokenizers/families/\(family).tokenizer.json")
        let original = try Tokenizer.load(source)
        let exported = try self.exported(source, original)
        let cases = try JSONDecoder().decode(
            [Case].self, from: Data(contentsOf: Fixtures.url("tokenizers/families/\(family).cases.json")))
        var different: [String] = []
        for expected in cases where exported.encode(expected.text).ids != expected.ids {
            different.append(expected.text)
        }
        #expect(
            different.isEmpty, "\(different.count) of \(cases.count): \(different.prefix(5).map(\.debugDescription))")
        #expect(exported.specialTokenIDs == original.specialTokenIDs)
    }

    @Test(arguments: ["unigram", "unigram-bytes", "unknown", "deepseek"]) func othersAreRefused(_ family: String) throws
    {
        let source = Fixtures.url("tokenizers/families/\(family).tokenizer.json")
        let error = #expect(throws: ExportError.self) { try exported(source, Tokenizer.load(source)) }
        #expect(error?.code == .unsupported)
    }

    /// Rows of the embedding without a token get unused ones; a tokenizer of a larger vocabulary is another model's.
    @Test func everyRowHasAToken() throws {
        let source = Fixtures.url("tokenizers/families/gpt2.tokenizer.json")
        let tokenizer = try Tokenizer.load(source)
        let size = tokenizer.vocabularySize
        #expect(try exported(source, tokenizer, rows: size + 5).vocabularySize == size + 5)
        #expect(throws: ExportError.self) { try exported(source, tokenizer, rows: size - 1) }
    }

    private func exported(_ source: URL, _ tokenizer: Tokenizer, rows: Int? = nil) throws -> Tokenizer {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "vocabulary.gguf")
        let metadata = try GGUFVocabularyExport(source, tokenizer: tokenizer, rows: rows ?? tokenizer.vocabularySize)
            .metadata(template: "{{ messages }}", endOfTurn: nil)
        let writer = try GGUFWriter(
            to: url, metadata: [("general.architecture", .string("llama"))] + metadata, tensors: [])
        try writer.finish()
        let exported = try Tokenizer.load(url)
        #expect(exported.chatTemplateSource == "{{ messages }}")
        return exported
    }
}
