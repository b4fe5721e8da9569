import ArgumentParser
import Foundation
import Meno
import MenoHub
import MenoData
import MenoModels
import MenoTokenizers

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describes a model, an adapter or a data file.",
        discussion: "Of a Hugging Face id that is not in the cache it shows what a download would bring.")

    @Argument(
        help:
            "A model (folder, .gguf file, Hugging Face id or name), an adapter's folder, or a .json or .jsonl file of records.",
        completion: .file())
    var path: String
    @Option(help: "With a data file: show its first example as this model would see it.") var model: String?
    @Option(
        help: "With --model: auto, gemma, llama3, chatml, tokenizer (the model's own), or the path of a .jinja file.")
    var chatTemplate = "auto"
    @Option(help: "With --model: count the examples that are longer than this (data.max_length).") var maxLength: Int?

    func validate() throws {
        guard maxLength ?? 2 > 1 else { throw ValidationError("--max-length must be above 1.") }
        guard maxLength == nil || model != nil else {
            throw ValidationError("--max-length counts tokens, which needs --model.")
        }
    }

    func run() throws {
        try reportingErrors {
            switch InspectedPath(path) {
            case .data(let url): try describeData(url)
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
            print("saved whole    \(settings.modulesToSave.joined(separator: ", "))")
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

    /// What a download of a model would bring.
    /// - Returns: `false` where it is in the cache.
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
        print("layers         \(model.layerCount), \(windows.count) of them within a window of \(windows.first ?? 0)")
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

    private func describeData(_ url: URL) throws {
        let contents = try RecordFile.contents(of: url)
        try RecordFile.requireJSON(contents, of: url)
        var (records, report) = try RecordFile.read(contents, of: url)
        print("records        \(report.summary)")
        show(report.problems)
        show(report.remarks)
        let sources = Set(records.compactMap(\.source)).count
        if sources > 0 { print("sources        \(sources)") }
        let pairs = records.count { $0.rejected != nil }
        if pairs > 0 { print("pairs          \(pairs) records have a chosen and a rejected side") }
        let characters = records.map(\.content.characterCount).sorted()
        print("characters     \(describe(characters)) a record")
        guard let model else { return }
        let loaded = try TokenizedModel(model, log: ConsoleLog())
        let (known, remarks) = (report.problems.count, report.remarks.count)
        let template = try loaded.template(chatTemplate, for: records)
        if let template { print("chat template  \(template)") }
        let built = Result {
            try builder(records, loaded, template, maxLength: .max).examples(from: records, report: &report)
        }
        show(report.remarks.dropFirst(remarks))
        // What only the model's template and tokenizer find, also where no example is left.
        show(report.problems.dropFirst(known))
        var examples = try built.get()
        if report.repeated > 0 { print("repeated       \(report.repeated) examples equal an earlier one") }
        print("tokens         \(describe(examples.map(\.tokenCount).sorted())) an example")
        if let maxLength { examples = try cut(records, loaded, template, to: maxLength) }
        if let first = examples.first { print("\n" + first.preview(loaded.tokenizer)) }
    }

    /// The examples as `data.max_length` cuts them; says how many it cuts, and which lose their answer.
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

    /// Makes pairs where records have two sides, as objectives of preferences do.
    private func builder(
        _ records: [Record], _ model: TokenizedModel, _ template: ChatTemplate?, maxLength: Int
    ) -> ExampleBuilder {
        var builder = ExampleBuilder(tokenizer: model.tokenizer, template: template, maxLength: maxLength)
        if records.contains(where: { $0.rejected != nil }) { builder.unit = .pairs }
        return builder
    }

    private func show(_ problems: some Sequence<DataReport.Problem>) {
        show(problems.map { "\($0.place) \($0.reason)" })
    }

    private func show(_ lines: some Sequence<String>) { for line in lines { print("               \(line)") } }

    /// The spread of sorted numbers.
    private func describe(_ sorted: [Int]) -> String {
        guard let first = sorted.first, let last = sorted.last else { return "none" }
        let at = { (share: Double) in sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
        return
            "\(first) to \(last), half below \(at(0.5)), nine tenths below \(at(0.9)), in all \(sorted.reduce(0, +)),"
    }
}

extension Record.Content {
    fileprivate var characterCount: Int {
        switch self {
        case .dialogue(let messages): messages.reduce(0) { $0 + $1.content.count }
        case .completion(let prompt, let completion): prompt.count + completion.count
        case .text(let text): text.count
        }
    }
}
