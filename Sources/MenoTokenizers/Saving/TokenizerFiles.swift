package import Foundation
internal import MenoFormats

/// The files by which transformers, and Meno, load a tokenizer and the chat template that a model was trained with.
///
/// They are read once, when a run begins: what is delivered is what was trained with, even if the model's folder changes later.
package struct TokenizerFiles: Sendable {
    /// By name.
    package let contents: [String: Data]

    /// What these files may be called; `chat_template.json` is an older form that ``contents`` never has.
    package static let names = [
        "tokenizer.json", configurationName, "special_tokens_map.json", "added_tokens.json", templateName,
        "chat_template.json",
    ]
    package static let templateName = "chat_template.jinja"
    private static let configurationName = "tokenizer_config.json"

    /// - Parameters:
    ///   - source: where the tokenizer was read: a Hugging Face folder, or a `.gguf` file, whose vocabulary is written as
    ///     `tokenizer.json`.
    ///   - template: what dialogues were written by; `nil`: there were none, and the tokenizer's own is saved.
    ///   - rows: of the model's embedding.
    package init(of source: URL, tokenizer: Tokenizer, template: ChatTemplate?, rows: Int) throws {
        var contents: [String: Data] = [:]
        if source.pathExtension.lowercased() == "gguf" {
            let file = try GGUFFile(contentsOf: source)
            contents["tokenizer.json"] = try GGUFTokenizerJSON(file, path: source.path, rows: rows).data()
            contents[Self.configurationName] = Self.configuration(
                [:], tokenizer, rows: rows,
                maxLength: try? file.metadata.int("\(file.metadata.string("general.architecture")).context_length"))
        } else {
            for name in Self.names { contents[name] = try Self.read(source.appending(path: name)) }
            contents["chat_template.json"] = nil
            let members = try contents[Self.configurationName].map {
                try Self.members(of: $0, path: source.appending(path: Self.configurationName).path)
            }
            contents[Self.configurationName] = Self.configuration(members ?? [:], tokenizer, rows: rows, maxLength: nil)
        }
        contents[Self.templateName] = (template?.source ?? tokenizer.chatTemplateSource).map { Data($0.utf8) }
        self.contents = contents
    }

    private static func read(_ url: URL) throws -> Data? {
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        do {
            return try Data(contentsOf: url)
        } catch {
            throw TokenizerError(.notFound, at: url.path, "cannot be read (\(error.localizedDescription)).")
        }
    }

    /// The members of a JSON object as they are written: numbers such as 10^30 would not survive a decoder.
    private static func members(of data: Data, path: String) throws -> [String: String] {
        try data.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes, path: path, name: "file")
            var members: [String: String] = [:]
            try scanner.object { members[$1] = String(decoding: try $0.raw(), as: UTF8.self) }
            try scanner.end()
            return members
        }
    }

    /// `tokenizer_config.json` without a template, which has a file of its own. Without a class `AutoTokenizer` would have to
    /// find a `config.json`, which is not beside an adapter.
    private static func configuration(
        _ known: [String: String], _ tokenizer: Tokenizer, rows: Int, maxLength: Int?
    ) -> Data {
        var members = known
        members["chat_template"] = nil
        if known["tokenizer_class"] == nil { members["tokenizer_class"] = "\"PreTrainedTokenizerFast\"" }
        if known.isEmpty {
            let markers = [
                ("bos_token", tokenizer.bosID), ("eos_token", tokenizer.eosID), ("pad_token", tokenizer.padID),
                ("unk_token", tokenizer.unknownID),
            ]
            // A token that the embedding has no row for is not in the file either.
            for case (let key, let id?) in markers where id < rows {
                members[key] = tokenizer.token(of: id).map(JSONText.string)
            }
            members["clean_up_tokenization_spaces"] = "false"
            members["model_max_length"] = maxLength.map(String.init)
        }
        let lines = members.sorted { $0.key < $1.key }.map { "  \(JSONText.string($0.key)): \($0.value)" }
        return Data("{\n\(lines.joined(separator: ",\n"))\n}\n".utf8)
    }
}
