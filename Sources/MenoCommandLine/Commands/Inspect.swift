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
        discussion: """
            For a Hugging Face id that is not in the cache, it lists what a download would bring. An id names a model, or, if there \
            is no such model, a dataset. With --dataset, or as datasets/org/name, it always names a dataset.
            """)

    @Argument(
        help:
            "A model (folder, .gguf file, Hugging Face id or name), an adapter's folder, a file, folder or pattern of records, or a dataset's Hugging Face id.",
        completion: .file())
    var path: String
    @Option(help: "With data: show the first example as this model sees it.") var model: String?
    @Option(
        help: "With --model: auto, gemma, llama3, chatml, tokenizer (the model's own), or the path of a .jinja file.")
    var chatTemplate = "auto"
    @Option(help: "With --model: count the examples with more tokens than this (data.max_length).") var maxLength: Int?

    @Option(
        help:
            "With data: count the records of this other file, such as an evaluation set, that also appear in the data.")
    var evalPath: String?
    @Option(help: "With text files: what counts as a record: line, paragraph or document (data.sample_by).")
    var sampleBy = TextUnit.line
    @Flag(help: "Treat the Hugging Face id as a dataset's.") var dataset = false
    @Flag(help: "With data: print the result as JSON.") var json = false

    func validate() throws {
        guard maxLength ?? 2 > 1 else { throw ValidationError("--max-length must be above 1.") }
        guard !json || model == nil else { throw ValidationError("--json describes data alone; leave --model out.") }
        guard maxLength == nil || model != nil else {
            throw ValidationError("--max-length counts tokens, which needs --model.")
        }
    }

    func run() throws {
        try reportingErrors(ConsoleLog(settingNames: .optionsBesideData)) {
            if let reference = dataset ? DatasetReference.reference(path) : DatasetReference.named(path) {
                return try describeDataset(reference)
            }
            switch InspectedPath(path) {
            case .data(let path): try describeData(path)
            case .adapter(let adapter): try describeAdapter(adapter)
            case .other:
                let url = URL(filePath: path)
                if let summary = try GGUFAdapterFile.summary(url) { return describeAdapter(summary, url) }
                if case .hub(let reference) = try ModelReference(path), try describe(reference) { return }
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

    /// Describes what an id means.
    /// - Returns: `false` where it is a model in the cache.
    private func describe(_ reference: HubReference) throws -> Bool {
        let hub = Hub(try HubSettings())
        let dataset = DatasetReference.reference(reference.description)
        if hub.cached(reference) == nil, let dataset, hub.cached(dataset, parts: .dataset) != nil {
            try describeDataset(dataset)
            return true
        }
        do {
            guard let forecast = try hub.forecast(reference, .model, log: ConsoleLog()) else { return false }
            show(forecast, of: reference)
            return true
        } catch let error as HubError where error.code == .notFound {
            guard let dataset, let forecast = try? hub.forecast(dataset, .dataset, log: ConsoleLog()) else {
                throw error
            }
            show(forecast, of: dataset)
            return true
        }
    }

    private func describeDataset(_ reference: HubReference) throws {
        let hub = Hub(try HubSettings())
        if let forecast = try hub.forecast(reference, .dataset, log: ConsoleLog()) {
            return show(forecast, of: reference)
        }
        guard let snapshot = hub.cached(reference, parts: .dataset) else { return }
        try describeData(DatasetReference.place(of: reference, in: snapshot))
    }

    /// What a download would bring.
    private func show(_ forecast: DownloadForecast, of reference: HubReference) {
        let (kind, name) = reference.isDataset ? ("dataset", "datasets/\(reference)") : ("model  ", "\(reference)")
        print("\(kind)        \(reference.id), commit \(forecast.commit)")
        print("place          not in the cache: `meno models fetch \(name)` downloads it")
        for file in forecast.files {
            let size = file.size.map(ByteText.english) ?? "of unknown size"
            print("file           \(file.name), \(size)\(file.isCached ? ", in the cache" : "")")
        }
        let free = forecast.free.map { "; \(ByteText.english($0)) are free" } ?? ""
        print("download       \(ByteText.english(forecast.missing))\(free)")
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
        let survey = try DataSurvey(sources)
        let (report, summary) = (survey.findings.report, survey.summary)
        let leaks = try evalPath.map { path in
            InspectedData.Leaks(
                path, try survey.leaks(into: RecordSources([DataSource([path])], seed: 0, unit: sampleBy)))
        }
        if json { return try show(InspectedData(sources.files.map(\.path), report, summary, leaks)) }
        if sources.files.count > 1 { print("files          \(sources.files.count)") }
        print("records        \(report.summary)")
        show(report.problems)
        showFurther(report.furtherProblems)
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
        if let model { try describeExamples(sources, survey, TokenizedModel(model, log: ConsoleLog())) }
    }

    /// What the records become for a model.
    private func describeExamples(_ sources: RecordSources, _ survey: DataSurvey, _ model: TokenizedModel) throws {
        // Records alone need no template, and nothing is wrong where there is none.
        let template = try survey.findings.shared.map { _ in try model.template(chatTemplate) }
        if let template { print("chat template  \(template)") }
        let preparation = { (maxLength: Int) in
            var builder = ExampleBuilder(tokenizer: model.tokenizer, template: template, maxLength: maxLength)
            // Of records with two sides, pairs, as objectives of preferences make them.
            if survey.summary.pairs > 0 { builder.unit = .pairs }
            return ExamplePreparation(decoder: RecordDecoder(format: .auto), builder: builder)
        }
        let whole = preparation(.max)
        var found = try whole.outline(of: sources)
        let known = survey.findings.report
        var report = found.findings.report
        let concluded = Result { try whole.builder.conclude(found.findings.notes, found.examples, &report) }
        show(report.remarks.dropFirst(known.remarks.count))
        // What only the model's template and tokenizer find, also where no example is left.
        show(report.problems.dropFirst(known.problems.count))
        showFurther(report.furtherProblems - known.furtherProblems)
        try concluded.get()
        if report.repeated > 0 { print("repeated       \(report.repeated) examples equal an earlier one") }
        var lengths = Histogram()
        for position in 0..<found.examples.count { lengths.add(found.examples.lengths(at: position).total) }
        if let lengths = lengths.spread { print("tokens         \(describe(lengths)) an example") }
        if let maxLength {
            found = try preparation(maxLength).outline(of: sources)
            describeCuts(found, to: maxLength)
        }
        if let first = try found.examples.beginning(1).first { print("\n" + first.preview(model.tokenizer)) }
    }

    /// How many examples `data.max_length` cuts, and which lose their answer.
    private func describeCuts(_ found: PreparedExamples, to length: Int) {
        let report = found.findings.report
        let (cut, lost) = (report.count(of: .tooLong), report.count(of: .lostAnswer))
        print(
            "max length     \(length): \(found.examples.count - cut - lost) whole, \(cut) cut at the end, "
                + "\(lost) cut before the answer begins")
        let shown = report.problems.filter { $0.kind == .lostAnswer }
        show(shown)
        showFurther(lost - shown.count)
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

    /// Of large data only the first problems are kept.
    private func showFurther(_ count: Int) {
        if count > 0 { show(["… and \(count) more"]) }
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

        init(_ path: String, _ leaks: DataSurvey.Leaks) {
            (self.path, count, of, places) = (path, leaks.count, leaks.of, leaks.places)
        }
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
