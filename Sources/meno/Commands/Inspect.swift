import ArgumentParser
import Foundation
import MenoData
import MenoModels

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Describes a model or a data file.")

    @Argument(help: "A model (folder, .gguf file or name), or a .json or .jsonl file of records.") var path: String
    @Option(help: "With a data file: show its first example as this model would see it.") var model: String?
    @Option(
        help: "With --model: auto, gemma, llama3, chatml, tokenizer (the model's own), or the path of a .jinja file.")
    var chatTemplate = "auto"

    func run() throws {
        try reportingErrors {
            if ["json", "jsonl", "ndjson"].contains(URL(filePath: path).pathExtension.lowercased()) {
                try describeData(URL(filePath: path))
            } else {
                try describeModel(ModelFiles(CatalogModel.locate(path)))
            }
        }
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
    }

    private func describeData(_ url: URL) throws {
        var (records, report) = try RecordFile.read(url)
        print("records        \(report.summary)")
        show(report.problems)
        show(report.remarks)
        let sources = Set(records.compactMap(\.source)).count
        if sources > 0 { print("sources        \(sources)") }
        let characters = records.map(\.content.characterCount).sorted()
        print("characters     \(describe(characters)) a record")
        guard let model else { return }
        let loaded = try TokenizedModel(model)
        let (known, remarks) = (report.problems.count, report.remarks.count)
        let template = try loaded.template(chatTemplate, for: records)
        if let template { print("chat template  \(template)") }
        let built = Result {
            try ExampleBuilder(tokenizer: loaded.tokenizer, template: template, maxLength: .max)
                .examples(from: records, report: &report)
        }
        show(report.remarks.dropFirst(remarks))
        // What only the model's template and tokenizer find, also where no example is left.
        show(report.problems.dropFirst(known))
        let examples = try built.get()
        print("tokens         \(describe(examples.map(\.ids.count).sorted())) an example\n")
        if let first = examples.first { print(first.preview(loaded.tokenizer)) }
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
