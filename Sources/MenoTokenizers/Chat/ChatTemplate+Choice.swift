internal import Foundation

/// Which template a name means.
extension ChatTemplate {
    /// The template of a name, `tokenizer` (the one that came with the model) or the path of a `.jinja` file.
    ///
    /// `auto` is the model's own, or, where it brings none, the built-in one whose turn markers the vocabulary has.
    /// - Throws: ``TokenizerError`` for an unknown name, or when the vocabulary lacks the template's markers: they would
    ///   be cut into letters and the model would never see a turn end.
    package static func named(_ name: String, for tokenizer: Tokenizer) throws -> ChatTemplate {
        if name == "tokenizer" || name.hasSuffix(".jinja") { return try jinja(name, tokenizer) }
        if name == "auto" {
            if tokenizer.chatTemplateSource != nil { return try jinja("tokenizer", tokenizer) }
            return try builtIn(for: tokenizer)
        }
        guard let template = builtIn.first(where: { $0.name == name })?.template else {
            throw TokenizerError(
                .unsupported, at: nil, "there is no chat template \"\(name)\".",
                advice: "Known: auto, \(builtInNames), tokenizer, or the path of a .jinja file.")
        }
        if let marker = template.missingMarker(in: tokenizer) {
            throw TokenizerError(
                .unsupported, at: nil,
                "the chat template \"\(name)\" needs the token \(marker), which the model does not have.",
                advice: "Use `chat_template: auto`.")
        }
        return template
    }

    /// What `auto` meant until the model's own template came first: the built-in one whose turn markers the vocabulary
    /// has and the model's own template, if it brings one, writes; or else the model's own. Runs of that time resume
    /// with it.
    /// - Throws: ``TokenizerError`` if there is none.
    package static func formerAutomatic(for tokenizer: Tokenizer) throws -> ChatTemplate {
        let own = tokenizer.chatTemplateSource
        let match = builtIn.first { _, template in
            guard template.missingMarker(in: tokenizer) == nil, let marker = template.builtIn?.opening else {
                return false
            }
            return own?.contains(marker) ?? true
        }
        if let match { return match.template }
        return try own == nil ? builtIn(for: tokenizer) : jinja("tokenizer", tokenizer)
    }

    /// The template of a text that was stored with a result, such as ``source``.
    /// - Parameter name: its name in errors.
    /// - Throws: ``TokenizerError`` if it cannot be parsed.
    package static func stored(_ source: String, name: String, for tokenizer: Tokenizer) throws -> ChatTemplate {
        if let match = builtIn.first(where: { $0.template.source == source })?.template { return match }
        if source == tokenizer.chatTemplateSource { return try jinja("tokenizer", tokenizer) }
        return .jinja(try JinjaChatTemplate(source, name: name, tokenizer: tokenizer))
    }

    private static var builtInNames: String { builtIn.map(\.name).joined(separator: ", ") }

    private static func builtIn(for tokenizer: Tokenizer) throws -> ChatTemplate {
        guard let match = builtIn.first(where: { $0.template.missingMarker(in: tokenizer) == nil }) else {
            throw TokenizerError(
                .unsupported, at: nil,
                "the model has no chat template, and its vocabulary does not have the turn markers of any of the templates "
                    + "\(builtInNames).",
                advice: "Train such a model on records of the shapes \"text\" or \"prompt\"/\"completion\".")
        }
        return match.template
    }

    private static func jinja(_ name: String, _ tokenizer: Tokenizer) throws -> ChatTemplate {
        if name == "tokenizer" {
            guard let source = tokenizer.chatTemplateSource else {
                throw TokenizerError(
                    .unsupported, at: nil, "the model has no chat template.", advice: "Use `chat_template: auto`.")
            }
            return .jinja(try JinjaChatTemplate(source, name: "the model's chat template", tokenizer: tokenizer))
        }
        guard let data = try? Data(contentsOf: URL(filePath: name)) else {
            throw TokenizerError(
                .notFound, at: name, "cannot be read.",
                advice: "`chat_template` is auto, tokenizer, gemma, llama3, chatml or the path of a .jinja file.")
        }
        guard let source = String(data: data, encoding: .utf8) else {
            throw TokenizerError(.malformed, at: name, "is not UTF-8 text.")
        }
        return .jinja(try JinjaChatTemplate(source, name: name, tokenizer: tokenizer))
    }
}
