import ArgumentParser
import Dispatch
import Foundation
import Meno
import MenoFormats
import MenoMetrics
import MenoTokenizers
import Synchronization

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the tokens of a text.")

    @Option(
        help:
            "A Hugging Face folder, a tokenizer.json, a .gguf file, a Hugging Face id, or a name that `meno models list` shows.",
        completion: .file())
    var model: String
    @Option(help: "The text.") var text: String?
    @Option(help: "A JSONL file whose lines are {\"text\": …}.", completion: .file(extensions: ["jsonl"])) var file:
        String?
    @Flag(help: "Print {\"text\": …, \"ids\": […]} for each text.") var json = false
    @Flag(help: "Print only {\"texts\": …, \"tokens\": …, \"seconds\": …} for all of them.") var count = false
    @Option(help: "Threads that encode texts at the same time, with --count.") var workers = 1

    func validate() throws {
        guard (text == nil) != (file == nil) else { throw ValidationError("Give either --text or --file.") }
        guard workers > 0 else { throw ValidationError("--workers is 1 or more.") }
    }

    func run() throws {
        try reportingErrors {
            let log = ConsoleLog()
            let tokenizer = try Tokenizer.load(ModelReference.locate(model, .tokenizer, log: log), log: log)
            let texts = try texts()
            if count { return try count(texts, tokenizer) }
            for text in texts { try show(text, tokenizer) }
        }
    }

    private struct Line: Codable {
        var text: String
        var ids: [TokenID]?
    }

    private func texts() throws -> [String] {
        if let text { return [text] }
        guard let file else { return [] }
        let data: Data
        do {
            // Read through a handle, because it may be a pipe.
            data = try FileHandle(forReadingFrom: URL(filePath: file)).readToEnd() ?? Data()
        } catch {
            throw FormatError(.notFound, at: file, "cannot be read (\(error.localizedDescription)).")
        }
        return try data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { return nil }
            do {
                return try JSONDecoder().decode(Line.self, from: line).text
            } catch {
                throw FormatError(
                    .malformed, at: file, "line \(index + 1) is not a JSON object with a string \"text\".")
            }
        }
    }

    private struct Totals: Encodable {
        var texts: Int
        var tokens: Int
        var seconds: Double
    }

    /// Texts that a thread takes at a time.
    private static let stretch = 16

    private func count(_ texts: [String], _ tokenizer: Tokenizer) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let tokens = Atomic<Int>(0)
        let next = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: workers) { _ in
            while true {
                let start = next.wrappingAdd(Self.stretch, ordering: .relaxed).oldValue
                guard start < texts.count else { return }
                let encoded = texts[start..<min(start + Self.stretch, texts.count)].reduce(0) {
                    $0 + tokenizer.encode($1).ids.count
                }
                tokens.add(encoded, ordering: .relaxed)
            }
        }
        let counted = tokens.load(ordering: .relaxed)
        try show(Totals(texts: texts.count, tokens: counted, seconds: (clock.now - start) / .seconds(1)))
    }

    private func show(_ value: some Encodable) throws {
        print(String(decoding: try JSONEncoder.reproducible().encode(value), as: UTF8.self))
    }

    private func show(_ text: String, _ tokenizer: Tokenizer) throws {
        let ids = tokenizer.encode(text).ids
        if json {
            try show(Line(text: text, ids: ids))
        } else {
            for piece in tokenizer.pieces(of: ids) { print("\(piece.id)\t\(piece)") }
        }
    }
}
