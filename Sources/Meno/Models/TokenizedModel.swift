package import Foundation
internal import MenoData
package import MenoTokenizers

/// The tokenizer and chat template of a model, without its weights.
package struct TokenizedModel {
    package let tokenizer: Tokenizer
    /// Where the tokenizer was read from.
    let url: URL
    /// The Jinja template that an adapter was trained with.
    private let trainedTemplate: String?
    private let warn: (String) -> Void

    package init(_ name: String, log: any SessionLog) throws {
        try self.init(ModelReference.locate(name, .tokenizer, log: log), log: log)
    }

    /// - Parameters:
    ///   - model: the model's files.
    ///   - adapter: the folder of an adapter. Its files take precedence over the model's.
    init(_ model: URL, adapter: URL? = nil, log: any SessionLog) throws {
        let base = try Tokenizer.load(model, log: log)
        warn = log.warn
        guard let adapter else {
            (tokenizer, url, trainedTemplate) = (base, model, nil)
            return
        }
        let saved = SavedTokenizer(beside: adapter, base: base)
        if let fault = saved.fault { warn("the model's own tokenizer is used, not the adapter's: \(fault)") }
        (tokenizer, url, trainedTemplate) = (saved.tokenizer, saved.url ?? model, saved.template)
    }

    /// A template chosen before it is known whether the data contains a dialogue. Callers report the fault or the warning only
    /// if it does.
    package struct ChosenTemplate {
        package let template: ChatTemplate?
        /// Why there is no template.
        package let fault: (any Error)?
        package let warning: String?
    }

    package func choose(_ name: String, warnsOfOther: Bool = true) -> ChosenTemplate {
        do {
            let (template, warning) = try chosen(name, warnsOfOther: warnsOfOther)
            return ChosenTemplate(template: template, fault: nil, warning: warning)
        } catch {
            return ChosenTemplate(template: nil, fault: error, warning: nil)
        }
    }

    /// The named template; `auto` is the one that the adapter was trained with, if known.
    /// - Parameter warnsOfOther: whether to warn about a template that renders dialogues
    ///   differently from the model's. Used when nothing is trained.
    package func template(_ name: String, warnsOfOther: Bool = true) throws -> ChatTemplate {
        let (template, warning) = try chosen(name, warnsOfOther: warnsOfOther)
        if let warning { warn(warning) }
        return template
    }

    private func chosen(_ name: String, warnsOfOther: Bool) throws -> (template: ChatTemplate, warning: String?) {
        if name == "auto", let trained = try trained() { return (trained, nil) }
        let template = try ChatTemplate.named(name, for: tokenizer)
        guard name != "auto", name != "tokenizer" else { return (template, nil) }
        if let trained = try? trained() {
            let isOther = differs(template, trained)
            return (
                template,
                isOther ? "the adapter was trained with another chat template than \(name): auto takes its own" : nil
            )
        }
        guard warnsOfOther, let own = try? ChatTemplate.named("tokenizer", for: tokenizer), differs(template, own)
        else {
            return (template, nil)
        }
        return (template, "the model brings another chat template than \(name): tokenizer takes its own")
    }

    private func trained() throws -> ChatTemplate? {
        try trainedTemplate.map {
            .jinja(try JinjaChatTemplate($0, name: "the adapter's chat template", tokenizer: tokenizer))
        }
    }

    /// Whether two templates turn a dialogue into different tokens. (Different Jinja sources can
    /// produce the same text.)
    private func differs(_ a: ChatTemplate, _ b: ChatTemplate) -> Bool {
        if a.source == b.source { return false }
        let turns = [ChatMessage(.user, "a"), ChatMessage(.assistant, "b"), ChatMessage(.user, "c")]
        let tokens = { (template: ChatTemplate, messages: [ChatMessage]) in
            (try? template.render(messages, addGenerationPrompt: true)).map { tokenizer.encode($0).ids }
        }
        return [turns, [ChatMessage(.system, "d")] + turns].contains { tokens(a, $0) != tokens(b, $0) }
    }
}

extension Tokenizer {
    /// Reads a tokenizer, and warns about problems in its file.
    package static func load(_ url: URL, log: any SessionLog) throws -> Tokenizer {
        // For an adapter with a tokenizer beside it, only the tokenizer is needed.
        if let adapter = AdapterFolder(url),
            !FileManager.default.fileExists(atPath: url.appending(path: "tokenizer.json").path)
        {
            throw adapter.refusal
        }
        let tokenizer = try load(url)
        tokenizer.warnings.forEach(log.warn)
        return tokenizer
    }
}
