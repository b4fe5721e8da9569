import Foundation
import MenoTesting

extension TinyModel {
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
