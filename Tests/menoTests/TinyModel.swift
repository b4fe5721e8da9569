import Foundation
import MenoTesting

/// A Gemma 3 of 96 tokens with a tokenizer of single characters, and a corpus to train it on: whole runs in a second.
struct TinyModel {
    let folder = try! TemporaryFolder()
    var model: URL { folder.url.appending(path: "tiny") }
    var run: URL { folder.url.appending(path: "run") }
    var progress: URL { run.appending(path: "training_progress") }

    init() throws {
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

    var data: URL { folder.url.appending(path: "data.jsonl") }

    /// Runs `meno train`, on one thread, with the keys of a training on 32 of the lines, evaluated on 8.
    func train(
        _ training: String, lora: String = "{r: 4, lora_alpha: 8, target_modules: all-linear}",
        monitor: String = "{probes: {when: never}}", output: String? = nil, _ arguments: [String] = [],
        redirection: String? = nil, onLine: ((Substring) -> Void)? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        try write(training, lora: lora, monitor: monitor, output: output)
        return try meno(["train", file.path] + arguments, threads: 1, redirection: redirection, onLine: onLine)
    }

    /// The configuration that ``train`` writes.
    var file: URL { folder.url.appending(path: "run.yaml") }

    func write(
        _ training: String, lora: String = "{r: 4, lora_alpha: 8, target_modules: all-linear}",
        monitor: String = "{probes: {when: never}}", output: String? = nil
    ) throws {
        try """
        base_output_dir: \(output ?? run.path)
        model: {name_or_path: \(model.path), device: cpu}
        data: {path: \(data.path), max_length: 32}
        lora: \(lora)
        training: {per_device_train_batch_size: 2, gradient_accumulation_steps: 2, lr_scheduler_type: constant,
                   logging_steps: 1, \(training)}
        monitor: \(monitor)
        """.write(to: file, atomically: true, encoding: .utf8)
    }

    struct Line: Decodable {
        var step: Int
        var loss: Double?
        var evalLoss: Double?
    }

    /// `metrics.jsonl`.
    func metrics() throws -> [Line] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try String(contentsOf: progress.appending(path: "metrics.jsonl"), encoding: .utf8)
            .split(separator: "\n").map { try decoder.decode(Line.self, from: Data($0.utf8)) }
    }
}
