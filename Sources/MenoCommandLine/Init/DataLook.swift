import Foundation
import MenoData
import MenoFormats
import Meno
import MenoMetrics

/// What a proposed configuration needs to know about a data file.
struct DataLook {
    enum Kind {
        case dialogues, completions, texts, pairs, judged
    }

    var kind: Kind
    var used: Int
    /// `40 records: 40 used, 0 left out`
    var summary: String
    /// Lengths of examples in tokens, counted with the model's tokenizer if it is available, or else estimated from
    /// the texts.
    var tokens: RunDataSummary.Lengths
    var areTokensEstimated: Bool

    init(_ path: String, _ model: ModelLook) throws {
        let url = URL(filePath: path)
        var (records, report) = try RecordFile.read(url)
        let labels: [JSONValue] = [.boolean(true), .boolean(false), .integer(0), .integer(1)]
        let hasLabel = records.contains { record in
            record.variables.contains { $0.key == "label" && labels.contains($0.value) }
        }
        if records.contains(where: { $0.rejected != nil }) {
            kind = .pairs
        } else if hasLabel {
            kind = .judged
        } else if records.contains(where: { if case .dialogue = $0.content { true } else { false } }) {
            kind = .dialogues
        } else if records.contains(where: { if case .completion = $0.content { true } else { false } }) {
            kind = .completions
        } else {
            kind = .texts
        }
        var lengths: [Int] = []
        if let tokenized = model.tokenized {
            var builder = ExampleBuilder(
                tokenizer: tokenized.tokenizer, template: try? tokenized.template("auto", for: records), maxLength: .max
            )
            if kind == .pairs { builder.unit = .pairs }
            lengths = ((try? builder.examples(from: records, report: &report)) ?? []).map(\.longestSequence)
        }
        areTokensEstimated = lengths.isEmpty
        if lengths.isEmpty {
            // Three bytes per token errs on the safe side for most languages.
            lengths = records.map { $0.content.byteCount / 3 + 16 }
        }
        guard let tokens = RunDataSummary.Lengths(lengths) else {
            throw DataError(.malformed, at: path, "has no record that can be trained on: \(report.summary).")
        }
        self.tokens = tokens
        used = lengths.count
        summary = report.summary
    }

    /// The contents in words.
    var text: String {
        switch kind {
        case .dialogues: "dialogues"
        case .completions: "prompts with completions"
        case .texts: "plain texts"
        case .pairs: "pairs of a chosen and a rejected answer"
        case .judged: "answers judged good or bad"
        }
    }

    /// Data files in a folder, most likely candidates first.
    static func candidates(in folder: String) -> [String] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        let others = ["package.json", "package-lock.json", "tsconfig.json", "config.json", "tokenizer.json"]
        return names.filter { $0.hasSuffix(".jsonl") } + names.filter { $0.hasSuffix(".json") && !others.contains($0) }
    }
}

extension Record.Content {
    fileprivate var byteCount: Int {
        switch self {
        case .dialogue(let messages): messages.reduce(0) { $0 + $1.content.utf8.count }
        case .completion(let prompt, let completion): prompt.utf8.count + completion.utf8.count
        case .text(let text): text.utf8.count
        // In bytes, with the estimate above.
        case .tokens(let ids, _): 3 * ids.count
        }
    }
}
