import Foundation
import MenoTesting
import Testing

@testable import MenoTokenizers

@Suite struct GGUFVocabularyTests {
    /// A file with a vocabulary of bytes, and no tensors.
    private func write(_ metadata: [String: Any], to url: URL) throws {
        var bytes = Data("GGUF".utf8)
        func append(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        func append(_ text: String) {
            append(UInt64(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        append(UInt32(3))
        append(UInt64(0))
        append(UInt64(metadata.count))
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            append(key)
            if let text = value as? String {
                append(UInt32(8))
                append(text)
            } else if let texts = value as? [String] {
                append(UInt32(9))
                append(UInt32(8))
                append(UInt64(texts.count))
                texts.forEach(append)
            }
        }
        try bytes.write(to: url)
    }

    private func tokenizer(pre: String?, model: String = "gpt2") throws -> Tokenizer {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "tiny.gguf")
        var metadata: [String: Any] = [
            "tokenizer.ggml.model": model, "tokenizer.ggml.tokens": ["a", "b", "1", "2", "ab", "12"],
            "tokenizer.ggml.merges": ["a b", "1 2"],
        ]
        metadata["tokenizer.ggml.pre"] = pre
        try write(metadata, to: url)
        return try Tokenizer.load(url)
    }

    @Test func aFileThatNamesNoPreTokenizerIsWarnedOf() throws {
        let unnamed = try tokenizer(pre: nil)
        #expect(unnamed.warnings.count == 1)
        #expect(unnamed.warnings.first?.contains("tokenizer.ggml.pre") == true)
        #expect(unnamed.warnings.first?.contains("tiny.gguf") == true)
        #expect(unnamed.encode("ab12").ids == [4, 5])
        for name in ["default", "gpt-2", "smollm", "llama-bpe", "qwen2"] {
            #expect(try tokenizer(pre: name).warnings.isEmpty, "\(name)")
        }
        // The name matters: digits stand alone.
        #expect(try tokenizer(pre: "smollm").encode("ab12").ids == [4, 2, 3])
    }
}
