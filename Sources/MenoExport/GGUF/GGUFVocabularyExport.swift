package import Foundation
package import MenoFormats
package import MenoTokenizers

/// What a GGUF file says about a tokenizer, from a `tokenizer.json` alone.
package struct GGUFVocabularyExport {
    private enum TokenType {
        static let normal = 1, unknown = 2, control = 3, userDefined = 4, unused = 5, byte = 6
    }
    /// SentencePiece's mark for a space.
    private static let space = "\u{2581}"

    private let file: TokenizerJSONFile
    private let tokenizer: Tokenizer
    private let rows: Int

    /// - Parameters:
    ///   - url: a `tokenizer.json`.
    ///   - tokenizer: the same, read, with what the files beside it say.
    ///   - rows: of the model's embedding: each has a token, if only an unused one.
    package init(_ url: URL, tokenizer: Tokenizer, rows: Int) throws {
        file = try TokenizerJSONFile(url)
        self.tokenizer = tokenizer
        self.rows = rows
    }

    /// - Parameters:
    ///   - template: the chat template, in Jinja.
    ///   - endOfTurn: the token that ends a turn, where it is another than the end of a text.
    package func metadata(template: String?, endOfTurn: TokenID?) throws -> [(key: String, value: GGUFValue)] {
        let isByteLevel = file.isByteLevel
        guard file.modelType == "BPE" else {
            throw unsupported("the tokenizer model \"\(file.modelType)\"")
        }
        guard isByteLevel || file.hasByteFallback else { throw unsupported("a tokenizer of characters without bytes") }
        var names = [String](repeating: "", count: rows)
        var types = [Int](repeating: TokenType.unused, count: rows)
        for index in names.indices { names[index] = "[PAD\(index)]" }
        for token in file.tokens {
            try requireRow(token.id, token.name)
            names[token.id] = token.name
            types[token.id] = isByteLevel ? TokenType.normal : Self.type(ofPiece: token.name)
        }
        for token in file.added {
            try requireRow(token.id, token.name)
            // llama.cpp looks for these in the text as it is, where spaces have no mark.
            names[token.id] = isByteLevel || token.isSpecial ? token.name : token.name.replacing(Self.space, with: " ")
            types[token.id] = token.isSpecial ? TokenType.control : TokenType.userDefined
        }
        if let unknown = tokenizer.unknownID ?? file.unknownID, types[Int(unknown)] == TokenType.normal {
            types[Int(unknown)] = TokenType.unknown
        }
        var all: [(key: String, value: GGUFValue)] = [
            ("tokenizer.ggml.model", .string(isByteLevel ? "gpt2" : "llama")),
            ("tokenizer.ggml.pre", .string(isByteLevel ? try preTokenizer() : "default")),
            ("tokenizer.ggml.tokens", .strings(names)),
        ]
        if isByteLevel {
            all.append(("tokenizer.ggml.token_type", .int32s(types)))
            all.append(("tokenizer.ggml.merges", .strings(file.merges.map { "\($0.left) \($0.right)" })))
        } else {
            all.append(("tokenizer.ggml.scores", .floats(scores(types))))
            all.append(("tokenizer.ggml.token_type", .int32s(types)))
            all.append(("tokenizer.ggml.add_space_prefix", .bool(file.addsSpace)))
        }
        if tokenizer.unknownID == nil, let unknown = file.unknownID {
            all.append(("tokenizer.ggml.unknown_token_id", .uint32(UInt32(unknown))))
        }
        return all + Self.markers(tokenizer, template: template, endOfTurn: endOfTurn)
    }

    /// The tokens with a part to play, and the template.
    package static func markers(
        _ tokenizer: Tokenizer, template: String?, endOfTurn: TokenID?
    ) -> [(key: String, value: GGUFValue)] {
        var all: [(key: String, value: GGUFValue)] = []
        for (key, id) in [
            ("bos", tokenizer.bosID), ("eos", tokenizer.eosID), ("unknown", tokenizer.unknownID),
            ("padding", tokenizer.padID), ("eot", endOfTurn == tokenizer.eosID ? nil : endOfTurn),
        ] {
            if let id { all.append(("tokenizer.ggml.\(key)_token_id", .uint32(UInt32(id)))) }
        }
        all.append(("tokenizer.ggml.add_bos_token", .bool(tokenizer.addsBOS)))
        if let template { all.append(("tokenizer.chat_template", .string(template))) }
        return all
    }

    /// What changes of a file that has a tokenizer already: the template, and what ends its turns.
    package static func template(
        _ template: String?, endOfTurn: TokenID?, tokenizer: Tokenizer
    ) -> [(key: String, value: GGUFValue)] {
        markers(tokenizer, template: template, endOfTurn: endOfTurn).filter {
            ["tokenizer.ggml.eot_token_id", "tokenizer.chat_template"].contains($0.key)
        }
    }

    private func requireRow(_ id: Int, _ name: String) throws {
        guard id < rows else {
            throw ExportError(
                .unsupported, at: file.path,
                "has the token \(id) (\"\(name)\"); the model's embedding has \(rows) rows.",
                advice: "The tokenizer belongs to another model.")
        }
    }

    private static func type(ofPiece name: String) -> Int {
        let isByte = name.utf8.count == 6 && name.hasPrefix("<0x") && name.hasSuffix(">")
        return isByte ? TokenType.byte : TokenType.normal
    }

    /// SentencePiece's scores: the pair with the best one is merged first. Here the earliest merge of a token has the best.
    private func scores(_ types: [Int]) -> [Float] {
        // By bytes: Swift's strings are equal where they look the same.
        var ids: [[UInt8]: Int] = [:]
        ids.reserveCapacity(file.tokens.count)
        for token in file.tokens { ids[Array(token.name.utf8)] = token.id }
        // What no merge makes is merged last; control tokens and bytes are never looked at.
        var scores = types.map { $0 == TokenType.normal ? -Float(file.merges.count) : Float(0) }
        var isSet = [Bool](repeating: false, count: rows)
        for (rank, merge) in file.merges.enumerated() {
            guard let id = ids[Array(merge.left.utf8) + Array(merge.right.utf8)], !isSet[id] else { continue }
            scores[id] = -Float(rank)
            isSet[id] = true
        }
        return scores
    }

    /// What llama.cpp calls the way in which texts are cut.
    private func preTokenizer() throws -> String {
        let steps = file.preTokenizers
        let last = steps.last
        guard let last, last["type"] as? String == "ByteLevel", !(last["add_prefix_space"] as? Bool ?? true) else {
            throw unsupported("the pre-tokenizer of \(file.path)")
        }
        let before = steps.dropLast()
        if last["use_regex"] as? Bool ?? true {
            if before.isEmpty { return "gpt-2" }
            if before.count == 1, before.first?["type"] as? String == "Digits",
                before.first?["individual_digits"] as? Bool == true
            {
                return "smollm"
            }
        } else if before.count == 1, let pattern = (before.first?["pattern"] as? [String: Any])?["Regex"] as? String,
            before.first?["behavior"] as? String == "Isolated",
            let known = KnownPatterns.all.first(where: { $0.pattern == pattern })
        {
            return known.name
        }
        throw unsupported("the pre-tokenizer of \(file.path)")
    }

    private func unsupported(_ what: String) -> ExportError {
        ExportError(
            .unsupported, at: file.path, "\(what) has no counterpart in llama.cpp that Meno knows.",
            advice: "Export as safetensors.")
    }
}
