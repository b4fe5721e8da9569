package import Foundation

/// A Gemma 3 of 96 tokens with a tokenizer of single characters, and a corpus to train it on: whole runs in a second.
package struct TinyModel {
    package let folder = try! TemporaryFolder()
    package var model: URL { folder.url.appending(path: "tiny") }
    package var run: URL { folder.url.appending(path: "run") }
    package var progress: URL { run.appending(path: "training_progress") }

    package init() throws {
        try FileManager.default.copyItem(at: Fixtures.url("models/gemma3-tiny"), to: model)
        var vocabulary = ["<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3]
        for character in "abcdefghijklmnopqrstuvwxyz ,.?" { vocabulary[String(character)] = vocabulary.count }
        let special = ["<pad>", "<bos>", "<eos>", "<unk>"].map { token in
            ["id": vocabulary[token]!, "content": token, "special": true] as [String: Any]
        }
        let tokenizer: [String: Any] = [
            "added_tokens": special,
            "model": ["type": "BPE", "vocab": vocabulary, "merges": [String](), "unk_token": "<unk>"],
        ]
        try JSONSerialization.data(withJSONObject: tokenizer).write(to: model.appending(path: "tokenizer.json"))
        try Data(#"{"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}"#.utf8)
            .write(to: model.appending(path: "tokenizer_config.json"))
        let words = ["what", "is", "virtue", "and", "can", "it", "be", "taught", "socrates", "asks", "meno", "again"]
        let lines = (0..<40).map { line in
            let sentence = (0..<4).map { words[(line * 5 + $0 * ($0 + line % 3)) % words.count] }
            return #"{"text": "\#(sentence.joined(separator: " "))?"}"#
        }
        try lines.joined(separator: "\n").write(to: data, atomically: true, encoding: .utf8)
    }

    package var data: URL { folder.url.appending(path: "data.jsonl") }
}
