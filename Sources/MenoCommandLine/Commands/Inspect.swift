public import ArgumentParser
import Foundation
import Meno
import MenoHub
public import MenoData
import MenoModels
import MenoTokenizers

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describes a model, an adapter or a data file.",
        discussion: "Of a Hugging Face id that is not in the cache it shows what a download would bring.")

    @Argument(
        help:
            "A model (folder, .gguf file, Hugging Face id or name), an adapter's folder, or a file, folder or pattern of records.",
        completion: .file())
    var path: String
    @Option(help: "With a data file: show its first example as this model would see it.") var model: String?
    @Option(
        help: "With --model: auto, gemma, llama3, chatml, tokenizer (the model's own), or the path of a .jinja file.")
    var chatTemplate = "auto"
    @Option(help: "With --model: count the examples that are longer than this (data.max_length).") var maxLength: Int?

    @Option(help: "With data: count the records of other data, such as those for evaluation, that are among them.")
    var evalPath: String?
    @Option(help: "With text files: what a record is, line, paragraph or document (data.sample_by).")
    var sampleBy = TextUnit.line
    @Flag(help: "With data: print what was found as JSON.") var json = false

    func validate() throws {
        guard maxLength ?? 2 > 1 else { throw ValidationError("--max-length must be above 1.") }
        guard !json || model == nil else { throw ValidationError("--json describes data alone; leave --model out.") }
        guard maxLength == nil || model != nil else {
            throw ValidationError("--max-length counts tokens, which needs --model.")
        }
    }

    func run() throws {
        try reportingErrors {
            switch InspectedPath(path) {
            case .data(let path): try describeData(path)
            case .adapter(let adapter): try describeAdapter(adapter)
            case .other:
                let url = URL(filePath: path)
                if let summary = try GGUFAdapterFile.summary(url) { return describeAdapter(summary, url) }
                if case .hub(let reference) = try ModelReference(path), try describeDownload(reference) { return }
                try describeModel(ModelFiles(ModelReference.locate(path, log: ConsoleLog())))
            }
        }
    }

    private func describeAdapter(_ adapter: AdapterFolder) throws {
        let settings = try LoRAFiles.settings(in: adapter.url)
        let targets =
            switch settings.targets {
            case .names(let names): names.joined(separator: ", ")
            case .pattern(let pattern): pattern
            case .allLinear: "all-linear"
            }
        if adapter.isInRun { print("run            `meno report \(path)` shows how it went") }
        print("adapter        \(adapter.url.path)")
        print("base model     \(adapter.base ?? "not named")")
        print("rank           \(settings.rank), alpha \(settings.alpha), dropout \(settings.dropout)")
        print("adapted        \(targets)")
        if !settings.modulesToSave.isEmpty {
            print("fully trained  \(settings.modulesToSave.joined(separator: ", "))")
        }
        print("to use it      --model \(adapter.base ?? "BASE") --adapter \(adapter.url.path)")
    }

    private func describeAdapter(_ adapter: GGUFAdapterFile.Summary, _ url: URL) {
        print("adapter        \(url.path), for llama.cpp")
        print("architecture   \(adapter.architecture)")
        print("rank           \(adapter.ranks.map(String.init).joined(separator: ", ")), alpha \(adapter.alpha)")
        print("adapted        \(adapter.layers) layers")
        print("to use it      --model BASE --adapter \(url.path)")
    }

    /// Shows what a model's download would transfer.
    /// - Returns: `false` if the model is in the cache.
    private func describeDownload(_ reference: HubReference) throws -> Bool {
        let hub = Hub(try HubSettings())
        guard let forecast = try hub.forecast(reference, .model, log: ConsoleLog()) else { return false }
        print("model          \(reference.id), commit \(forecast.commit)")
        print("place          not in the cache: `meno models fetch \(reference)` downloads it")
        for file in forecast.files {
            let size = file.size.map(ByteText.english) ?? "of unknown size"
            print("file           \(file.name), \(size)\(file.isCached ? ", in the cache" : "")")
        }
        let free = forecast.free.map { "; \(ByteText.english($0)) are free" } ?? ""
        print("download       \(ByteText.english(forecast.missing))\(free)")
        return true
    }

    private func describeModel(_ files: ModelFiles) {
        let model = files.configuration
        let windows = model.layers.compactMap(\.attention.slidingWindow)
        let storage = Dictionary(grouping: files.storedWeights, by: \.storage).mapValues(\.count)
        print("architecture   \(model.modelType)")
        print("parameters     \(files.parameterCount) in \(files.storedWeights.count) tensors")
        let within = windows.first.map { ", \(windows.count) of them within a window of \($0)" }
        print("layers         \(model.layerCount)" + (within ?? ""))
        print("hidden         \(model.hiddenSize), feed-forward \(model.intermediateSize)")
        print("heads          \(model.headCount) × \(model.headDimension), keys and values \(model.keyValueHeadCount)")
        print("vocabulary     \(model.vocabularySize), \(model.tiesEmbeddings ? "shared with" : "apart from") the head")
        let kinds = storage.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value)" }
        print("storage        \(kinds.joined(separator: ", "))")
        do {
            let tokenizer = try Tokenizer.load(files.url, log: ConsoleLog())
            let template = tokenizer.chatTemplateSource == nil ? "without a chat template" : "with a chat template"
            print("tokenizer      \(tokenizer.vocabularySize) tokens, \(template)")
        } catch {
            print("tokenizer      cannot be used: \(error)")
        }
    }

    private func describeData(_ path: String) throws {
        let sources = try RecordSources([DataSource([path])], seed: 0, unit: sampleBy)
        var (records, report) = try RecordFile.read(sources)
        let summary = DataSummary(records)
        let leaks = try evalPath.map { try findLeaks(from: records, into: $0) }
        if json { return try show(InspectedData(sources.files.map(\.path), report, summary, leaks)) }
        if sources.files.count > 1 { print("files          \(sources.files.count)") }
        print("records        \(report.summary)")
        show(report.problems)
        show(report.remarks)
        if !summary.sources.isEmpty { print("sources        \(summary.sources.count): \(list(summary.sources))") }
        if summary.pairs > 0 { print("pairs          \(summary.pairs) records have a chosen and a rejected side") }
        print("shapes         \(list(summary.shapes))")
        if let turns = summary.turns { print("turns          \(describe(turns)) a dialogue") }
        if let characters = summary.characters { print("characters     \(describe(characters)) a record") }
        if !summary.languages.isEmpty {
            print("languages      \(list(summary.languages)) (guessed from the characters)")
        }
        if summary.duplicates > 0 {
            print("duplicates     \(summary.duplicates) records repeat an earlier one (ignoring white space)")
        }
        if let leaks {
            print("leaks          \(leaks.count) of \(leaks.of) records of \(leaks.path) are also in this data")
            show(leaks.places.map { "\($0) is among them" })
        }
        guard let model else { return }
        let loaded = try TokenizedModel(model, log: ConsoleLog())
        let (known, remarks) = (report.problems.count, report.remarks.count)
        let template = try loaded.template(chatTemplate, for: records)
        if let template { print("chat template  \(template)") }
        let built = Result {
            try builder(records, loaded, template, maxLength: .max).examples(from: records, report: &report)
        }
        show(report.remarks.dropFirst(remarks))
        // Only the model's template and tokenizer find these, even if no example is left.
        show(report.problems.dropFirst(known))
        var examples = try built.get()
        if report.repeated > 0 { print("repeated       \(report.repeated) examples repeat an earlier one") }
        print("tokens         \(describe(.init(examples.map(\.tokenCount)))) an example")
        if let maxLength { examples = try cut(records, loaded, template, to: maxLength) }
        if let first = examples.first { print("\n" + first.preview(loaded.tokenizer)) }
    }

    /// The examples as `data.max_length` cuts them. Prints how many are cut, and which lose their answer.
    private func cut(
        _ records: [Record], _ model: TokenizedModel, _ template: ChatTemplate?, to length: Int
    ) throws -> [Example] {
        var report = DataReport()
        let examples = try builder(records, model, template, maxLength: length)
            .examples(from: records, report: &report)
        let (cut, lost) = (
            report.problems.filter { $0.kind == .tooLong }, report.problems.filter { $0.kind == .lostAnswer }
        )
        print(
            "max length     \(length): \(examples.count - cut.count - lost.count) whole, \(cut.count) cut at the end, "
                + "\(lost.count) cut before the answer begins")
        show(lost)
        return examples
    }

    /// Builds pairs if records have two sides, as preference objectives do.
    private func builder(
        _ records: [Record], _ model: TokenizedModel, _ template: ChatTemplate?, maxLength: Int
    ) -> ExampleBuilder {
        var builder = ExampleBuilder(tokenizer: model.tokenizer, template: template, maxLength: maxLength)
        if records.contains(where: { $0.rejected != nil }) { builder.unit = .pairs }
        return builder
    }

    /// Records of other data that also occur here.
    private func findLeaks(from records: [Record], into path: String) throws -> InspectedData.Leaks {
        let (others, _) = try RecordFile.read(RecordSources([DataSource([path])], seed: 0, unit: sampleBy))
        let known = Set(records.map(\.fingerprint))
        let leaked = others.filter { known.contains($0.fingerprint) }
        return .init(path: path, count: leaked.count, of: others.count, places: leaked.prefix(5).map(\.place))
    }

    private func show(_ data: InspectedData) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(data), as: UTF8.self))
    }

    private func list(_ shares: [DataSummary.Share]) -> String {
        let shown = shares.prefix(8).map { "\($0.name) \($0.records)" }.joined(separator: ", ")
        return shares.count > 8 ? "\(shown), and \(shares.count - 8) more" : shown
    }

    private func show(_ problems: some Sequence<DataReport.Problem>) {
        show(problems.map { "\($0.place) \($0.reason)" })
    }

    private func show(_ lines: some Sequence<String>) { for line in lines { print("               \(line)") } }

    private func describe(_ spread: DataSummary.Spread) -> String {
        "\(spread.least) to \(spread.most), half below \(spread.half), nine tenths below \(spread.nineTenths), in all "
            + "\(spread.total),"
    }
}

/// The output of `--json` for data.
private struct InspectedData: Encodable {
    struct Leaks: Encodable {
        var path: String
        var count: Int
        /// The number of records searched for.
        var of: Int
        var places: [String]
    }

    struct Problem: Encodable {
        var place: String
        var kind: String
        var reason: String
    }

    var files: [String]
    var total: Int
    var used: Int
    var leftOut: Int
    var problems: [Problem]
    var remarks: [String]
    var summary: DataSummary
    var leaks: Leaks?

    init(_ files: [String], _ report: DataReport, _ summary: DataSummary, _ leaks: Leaks?) {
        (self.files, self.summary, self.leaks) = (files, summary, leaks)
        (total, used, leftOut, remarks) = (report.total, report.used, report.skipped, report.remarks)
        problems = report.problems.map { Problem(place: $0.place, kind: $0.kind.rawValue, reason: $0.reason) }
    }
}

extension TextUnit: ExpressibleByArgument {}
