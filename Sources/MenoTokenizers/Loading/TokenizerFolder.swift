internal import Foundation
internal import MenoFormats

/// The tokenizer of a Hugging Face folder: `tokenizer.json`, and the special tokens that other files define.
enum TokenizerFolder {
    static func load(_ folder: URL) throws -> Tokenizer {
        let file = folder.appending(path: "tokenizer.json")
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw TokenizerError(
                .malformed, at: folder.path, "holds no tokenizer.json.",
                advice: "Save it with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(folder).")
        }
        var parts = try TokenizerJSON.read(file)
        parts.markers = try markers(folder, parts.names)
        return Tokenizer(parts)
    }

    /// A token's name, as a text or as an object with its `content`.
    private struct TokenName: Decodable {
        var content: String

        private enum Keys: String, CodingKey { case content }

        init(from decoder: any Swift.Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                content = text
            } else {
                content = try decoder.container(keyedBy: Keys.self).decode(String.self, forKey: .content)
            }
        }
    }

    /// One template, or several by name.
    private struct Templates: Decodable {
        struct Named: Decodable { var name, template: String }
        var standard: String?

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                standard = text
            } else {
                let all = try container.decode([Named].self)
                standard = (all.first { $0.name == "default" } ?? all.first)?.template
            }
        }
    }

    private struct TokenizerConfiguration: Decodable {
        var bosToken, eosToken, padToken, unkToken: TokenName?
        var chatTemplate: Templates?
    }

    private struct TemplateFile: Decodable { var chatTemplate: Templates? }

    /// `generation_config.json`, or `config.json` of the model.
    private struct GenerationConfiguration: Decodable {
        var eosTokenId: OneOrMany?
    }

    private struct OneOrMany: Decodable {
        var ids: [TokenID]

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.singleValueContainer()
            ids = try (try? [container.decode(TokenID.self)]) ?? container.decode([TokenID].self)
        }
    }

    private static func markers(_ folder: URL, _ names: Vocabulary) throws -> Tokenizer.Markers {
        let configuration: TokenizerConfiguration? = try read(folder, "tokenizer_config.json")
        let map: TokenizerConfiguration? = try read(folder, "special_tokens_map.json")
        let generation: GenerationConfiguration? = try read(folder, "generation_config.json")
        let model: GenerationConfiguration? = try read(folder, "config.json")
        let ends = ((generation?.eosTokenId ?? model?.eosTokenId)?.ids ?? []).filter {
            (0..<names.count).contains(Int($0))
        }
        if let name = (configuration?.eosToken ?? map?.eosToken)?.content, names.id(of: name) == nil {
            throw TokenizerError(
                .malformed, at: folder.path, "eos_token is \"\(name)\", which is not a token in tokenizer.json.",
                advice: "Set eos_token in tokenizer_config.json to the token that ends a text.")
        }
        let id = { (key: KeyPath<TokenizerConfiguration, TokenName?>) -> TokenID? in
            (configuration?[keyPath: key] ?? map?[keyPath: key]).flatMap { names.id(of: $0.content) }
        }
        var template = configuration?.chatTemplate?.standard
        if let file: TemplateFile = try read(folder, "chat_template.json") { template = file.chatTemplate?.standard }
        let jinja = folder.appending(path: "chat_template.jinja")
        if FileManager.default.fileExists(atPath: jinja.path) {
            guard let text = try? String(contentsOf: jinja, encoding: .utf8) else {
                throw TokenizerError(.malformed, at: jinja.path, "is not UTF-8, or cannot be read.")
            }
            template = text
        }
        return Tokenizer.Markers(
            bos: id(\.bosToken), eos: id(\.eosToken) ?? ends.first, pad: id(\.padToken), unknown: id(\.unkToken),
            ends: ends, chatTemplate: template)
    }

    private static func read<Value: Decodable>(_ folder: URL, _ name: String) throws -> Value? {
        let file = folder.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(Value.self, from: Data(contentsOf: file))
        } catch let error as DecodingError {
            throw TokenizerError(.malformed, at: file.path, error.place)
        }
    }
}
