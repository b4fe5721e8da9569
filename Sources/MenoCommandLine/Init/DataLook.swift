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
        let sources = try RecordSources([DataSource([path])], seed: 0)
        let decoder = RecordDecoder(format: .auto)
        var seen = Seen()
        try RecordPass(decoder).run(try sources.records()) { records in
            var seen = Seen()
            for index in records.all.indices { seen.add(records.decoded(index, by: decoder)) }
            return seen
        } take: {
            seen.add($0)
        }
        kind = seen.kind
        var report = seen.report
        var lengths = Histogram()
        if let tokenized = model.tokenized {
            let choice = tokenized.choose("auto")
            var builder = ExampleBuilder(tokenizer: tokenized.tokenizer, template: choice.template, maxLength: .max)
            builder.templateFault = choice.fault
            if kind == .pairs { builder.unit = .pairs }
            let preparation = ExamplePreparation(decoder: decoder, builder: builder)
            // Where the template or the tokenizer cannot be used, lengths are estimated.
            if let found = try? preparation.outline(of: sources), let whole = try? found.report(builder, path: path) {
                report = whole
                for position in 0..<found.examples.count { lengths.add(found.examples.lengths(at: position).longest) }
            }
        }
        areTokensEstimated = lengths.count == 0
        if areTokensEstimated { lengths = seen.estimates }
        guard let spread = lengths.spread else { throw report.nothingUsable(at: path) }
        tokens = RunDataSummary.Lengths(
            shortest: spread.least, median: spread.half, ninetieth: spread.nineTenths, longest: spread.most,
            total: spread.total)
        used = lengths.count
        summary = report.summary
    }

    /// What was seen of some records.
    private struct Seen {
        var report = DataReport()
        /// Tokens of each, estimated: three bytes a token is on the safe side for most languages.
        var estimates = Histogram()
        var hasPairs = false
        var hasLabels = false
        var hasDialogues = false
        var hasCompletions = false

        var kind: Kind {
            if hasPairs { return .pairs }
            if hasLabels { return .judged }
            if hasDialogues { return .dialogues }
            return hasCompletions ? .completions : .texts
        }

        private static let labels: [JSONValue] = [.boolean(true), .boolean(false), .integer(0), .integer(1)]

        mutating func add(_ decoded: DecodedRecord) {
            report.total += 1
            if let problem = decoded.problem { report.problems.append(problem) }
            guard let record = decoded.record else { return }
            estimates.add(record.content.byteCount / 3 + 16)
            if record.rejected != nil { hasPairs = true }
            if record.variables.contains(where: { $0.key == "label" && Self.labels.contains($0.value) }) {
                hasLabels = true
            }
            switch record.content {
            case .dialogue: hasDialogues = true
            case .completion: hasCompletions = true
            case .text, .tokens: break
            }
        }

        mutating func add(_ other: Seen) {
            report.add(other.report)
            estimates.add(other.estimates)
            hasPairs = hasPairs || other.hasPairs
            hasLabels = hasLabels || other.hasLabels
            hasDialogues = hasDialogues || other.hasDialogues
            hasCompletions = hasCompletions || other.hasCompletions
        }
    }

    /// What it holds, for a sentence.
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
