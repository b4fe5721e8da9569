internal import Foundation
internal import MenoExport
internal import MenoTokenizers

extension ModelExporter {
    /// What is exported: names, tokenizer, template.
    struct Subject {
        let url: URL
        let name: String
        /// The adapter's files.
        let adapter: URL?
        let tokenized: TokenizedModel
        let template: ChatTemplate?
        let templateName: String
        let run: TrainedRun?
        var tokenizer: Tokenizer { tokenized.tokenizer }
        var endOfTurn: TokenID? { template?.endOfTurn.flatMap(tokenizer.id) }
    }

    func subject() throws -> Subject {
        let url = try ModelReference.locate(model, log: log)
        let folder = try adapter.map { try ModelReference.locateAdapter($0, log: log) }
        if let found = AdapterFolder(url) { throw found.refusal }
        let run = TrainedRun(of: folder ?? url)
        let tokenized = try TokenizedModel(url, adapter: folder, log: log)
        let saved = folder?.appending(path: TokenizerFiles.templateName).path
        let hasSaved = saved.map { FileManager.default.fileExists(atPath: $0) } ?? false
        // Files beside an adapter are those it was trained with; `auto` uses them.
        let chosen = chatTemplate ?? (hasSaved ? nil : run?.configuration.data.chatTemplate)
        let name = chosen ?? "auto"
        // A model without a template, such as one trained on plain texts, can be exported. A
        // template that was asked for must exist.
        let template =
            name == "auto"
            ? try? tokenized.template(name, warnsOfOther: false) : try tokenized.template(name, warnsOfOther: false)
        return Subject(
            url: url, name: exportName(run), adapter: folder, tokenized: tokenized, template: template,
            templateName: name, run: run)
    }

    private func exportName(_ run: TrainedRun?) -> String {
        if let name = run?.configuration.runName { return name }
        let name = target.deletingPathExtension().lastPathComponent
        return name.isEmpty ? "model" : name
    }
}
