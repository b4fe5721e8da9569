package import Foundation
internal import MenoFormats
internal import Synchronization

/// The tokens of a text.
package struct Encoding: Sendable, Hashable {
    package var ids: [TokenID]
    /// For each token the UTF-8 bytes of the text that it came from.
    package var byteRanges: [Range<Int>]

    mutating func append(_ id: TokenID, _ range: Range<Int>) {
        ids.append(id)
        byteRanges.append(range)
    }

    /// Appends a token of a normalised text.
    @inline(__always)
    mutating func append(_ id: TokenID, _ range: Range<Int>, of text: AlignedText) {
        append(id, text.origin(range.lowerBound)..<text.origin(range.upperBound))
    }
}

/// Turns text into the tokens of a model, and back.
///
/// A text goes through the steps that `tokenizer.json` describes: tokens added to the vocabulary are found, what lies
/// between them is normalised, cut into pieces, and each piece is encoded by the model.
package final class Tokenizer: Sendable {
    enum Model: Sendable {
        case bpe(BPE)
        case unigram(Unigram)

        var vocabulary: Vocabulary {
            switch self {
            case .bpe(let model): model.vocabulary
            case .unigram(let model): model.vocabulary
            }
        }
    }

    /// Everything that a tokenizer's file says.
    struct Parts: Sendable {
        var model: Model
        /// Every token by its name; those that were added to the model's vocabulary too.
        var names: Vocabulary
        /// Found in the text as it is.
        var addedTokens = AddedTokens([])
        /// Found in the normalised text.
        var addedNormalizedTokens = AddedTokens([])
        var normalizer: Normalizer?
        var preTokenizer: PreTokenizer?
        /// What comes before and after a text that stands for itself.
        var prefix: [TokenID] = []
        var suffix: [TokenID] = []
        var decoder: TokenDecoder
        /// Tokens that are no text: turn markers, BOS, EOS and the like.
        var specialTokenIDs: Set<TokenID>
        var markers: Markers
        var warnings: [String] = []
    }

    /// Tokens with a part to play, and the template.
    struct Markers: Sendable {
        var bos, eos, pad, unknown: TokenID?
        /// Further tokens that end a generation.
        var ends: [TokenID] = []
        /// In Jinja.
        var chatTemplate: String?
    }

    private let parts: Parts
    private let workspaces = Workspaces()
    /// Every token that ends a generation.
    package let endOfTurnIDs: [TokenID]

    init(_ parts: Parts) {
        self.parts = parts
        let turns = ["<end_of_turn>", "<|im_end|>", "<|eot_id|>"].compactMap { parts.names.id(of: $0) }
        endOfTurnIDs = Array(Set(turns + parts.markers.ends + [parts.markers.eos].compactMap { $0 })).sorted()
    }

    /// This tokenizer where it was saved beside an adapter: a generation also ends where one of the adapted model does, and
    /// the template is the given one, if any.
    package func saved(besideAdapterOf model: Tokenizer, template: String?) -> Tokenizer {
        var parts = parts
        parts.markers.ends += model.endOfTurnIDs.filter { model.token(of: $0) == token(of: $0) }
        if let template { parts.markers.chatTemplate = template }
        return Tokenizer(parts)
    }

    /// Reads a tokenizer.
    /// - Parameter url: a Hugging Face folder with `tokenizer.json`, such a file, or a `.gguf` file.
    /// - Throws: ``TokenizerError`` or `FormatError`, which name the file and what is wrong with it.
    package static func load(_ url: URL) throws -> Tokenizer {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue {
            return try TokenizerFolder.load(url)
        }
        switch url.pathExtension.lowercased() {
        case "gguf": return try GGUFVocabulary.load(GGUFFile(contentsOf: url), path: url.path)
        case "json": return try Tokenizer(TokenizerJSON.read(url))
        default:
            throw TokenizerError(
                .unsupported, at: url.path, "contains no supported tokenizer.",
                advice: "Give a Hugging Face folder with tokenizer.json, or a .gguf file.")
        }
    }

    /// Tokens that are no text: turn markers, BOS, EOS and the like.
    package var specialTokenIDs: Set<TokenID> { parts.specialTokenIDs }
    /// What may be wrong with the tokenizer's file, in whole sentences. The tokens may be others than the model was trained on.
    package var warnings: [String] { parts.warnings }
    package var bosID: TokenID? { parts.markers.bos }
    package var eosID: TokenID? { parts.markers.eos }
    package var padID: TokenID? { parts.markers.pad }
    package var unknownID: TokenID? { parts.markers.unknown }
    /// Whether a text that stands for itself begins with BOS.
    package var addsBOS: Bool { bosID.map(parts.prefix.contains) ?? false }
    /// The chat template that came with the tokenizer, in Jinja.
    package var chatTemplateSource: String? { parts.markers.chatTemplate }
    package var vocabularySize: Int { parts.names.count }
    /// The number of a token by its exact name.
    package func id(of token: String) -> TokenID? { parts.names.id(of: token) }
    /// The name of a token.
    package func token(of id: TokenID) -> String? {
        (0..<vocabularySize).contains(Int(id)) ? String(decoding: parts.names.bytes(of: id), as: UTF8.self) : nil
    }

    /// Special tokens written in the text become those tokens.
    /// - Parameter addSpecialTokens: whether what the tokenizer puts around a text that stands for itself is added: BOS,
    ///   for most.
    package func encode(_ text: String, addSpecialTokens: Bool = false) -> Encoding {
        var encoding = Encoding(ids: [], byteRanges: [])
        let workspace = workspaces.take()
        defer { workspaces.giveBack(workspace) }
        let bytes = Array(text.utf8)
        encoding.ids.reserveCapacity(bytes.count / 3)
        encoding.byteRanges.reserveCapacity(bytes.count / 3)
        if addSpecialTokens { for id in parts.prefix { encoding.append(id, 0..<0) } }
        for (range, id) in parts.addedTokens.split(bytes, bytes.indices) {
            if let id {
                encoding.append(id, range)
                continue
            }
            var text = AlignedText(bytes, range)
            parts.normalizer?.apply(to: &text)
            for (range, id) in parts.addedNormalizedTokens.split(text.bytes, text.bytes.indices) {
                if let id { encoding.append(id, range, of: text) } else { encode(text, range, workspace, &encoding) }
            }
        }
        if addSpecialTokens { for id in parts.suffix { encoding.append(id, bytes.count..<bytes.count) } }
        return encoding
    }

    private func encode(
        _ text: AlignedText, _ range: Range<Int>, _ workspace: Workspace, _ encoding: inout Encoding
    ) {
        var pieces = PreTokenizer.Pieces(text: text, ranges: [range])
        swap(&pieces.workspace, &workspace.splitting)
        parts.preTokenizer?.apply(to: &pieces)
        switch parts.model {
        case .bpe(let model): model.encode(pieces.text, pieces.ranges, &workspace.merging, into: &encoding)
        case .unigram(let model): for range in pieces.ranges { model.encode(pieces.text, range, into: &encoding) }
        }
        swap(&pieces.workspace, &workspace.splitting)
        workspace.splitting.forget()
    }

    /// Memory that one text after the other is encoded in, and what is known from earlier ones.
    private final class Workspace: Sendable {
        nonisolated(unsafe) var splitting = SplitWorkspace()
        nonisolated(unsafe) var merging = BPE.Workspace()
    }

    /// As many as texts were encoded at the same time.
    private final class Workspaces: Sendable {
        private let free = Mutex<[Workspace]>([])

        func take() -> Workspace { free.withLock { $0.popLast() } ?? Workspace() }
        func giveBack(_ workspace: Workspace) { free.withLock { $0.append(workspace) } }
    }

    func addModel(to hash: inout StableHash) {
        switch parts.model {
        case .bpe(let model):
            hash.add(model.ignoresMerges ? 1 : 0)
            model.merges.add(to: &hash)
        case .unigram(let model): model.add(to: &hash)
        }
    }

    /// The text of tokens; bytes that are no UTF-8 become U+FFFD, numbers outside the vocabulary nothing.
    package func decode(_ ids: [TokenID], skipSpecialTokens: Bool = false) -> String {
        parts.decoder.text(
            of: ids.filter { id in
                (0..<vocabularySize).contains(Int(id)) && !(skipSpecialTokens && specialTokenIDs.contains(id))
            })
    }
}
