package import Foundation

/// A Gemma 3 of 96 tokens with a tokenizer of single characters, and a corpus to train it on: whole runs in a second.
package struct TinyModel {
    package let folder = try! TemporaryFolder()
    package var model: URL { folder.url.appending(path: "tiny") }
    package var run: URL { folder.url.appending(path: "run") }
    package var progress: URL { run.appending(path: "training_progress") }

    /// - Parameter forGGUF: whether its tokenizer is one that GGUF files can hold: pieces with bytes to fall back to.
    package init(forGGUF: Bool = false) throws {
        try FileManager.default.copyItem(at: Fixtures.url("models/gemma3-tiny"), to: self.model)
        var vocabulary = ["<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3]
        let space = forGGUF ? "\u{2581}" : " "
        for character in "abcdefghijklmnopqrstuvwxyz\(space),.?" { vocabulary[String(character)] = vocabulary.count }
        let special = ["<pad>", "<bos>", "<eos>", "<unk>"].map { token in
            ["id": vocabulary[token]!, "content": token, "special": true] as [String: Any]
        }
        var model: [String: Any] = ["type": "BPE", "vocab": vocabulary, "merges": [String](), "unk_token": "<unk>"]
        var tokenizer: [String: Any] = ["added_tokens": special]
        if forGGUF {
            model["byte_fallback"] = true
            model["fuse_unk"] = true
            tokenizer["normalizer"] = ["type": "Replace", "pattern": ["String": " "], "content": space]
            tokenizer["decoder"] = ["type": "Replace", "pattern": ["String": space], "content": " "]
        }
        tokenizer["model"] = model
        try JSONSerialization.data(withJSONObject: tokenizer).write(to: self.model.appending(path: "tokenizer.json"))
        let unknown = forGGUF ? #", "unk_token": "<unk>""# : ""
        try Data(#"{"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"\#(unknown)}"#.utf8)
            .write(to: self.model.appending(path: "tokenizer_config.json"))
        let words = ["what", "is", "virtue", "and", "can", "it", "be", "taught", "socrates", "asks", "meno", "again"]
        let lines = (0..<40).map { line in
            let sentence = (0..<4).map { words[(line * 5 + $0 * ($0 + line % 3)) % words.count] }
            return #"{"text": "\#(sentence.joined(separator: " "))?"}"#
        }
        try lines.joined(separator: "\n").write(to: data, atomically: true, encoding: .utf8)
    }

    package var data: URL { folder.url.appending(path: "data.jsonl") }
}
