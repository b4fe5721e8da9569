public import Foundation
internal import MenoFormats

/// The tokens of a text.
public struct Encoding: Sendable, Hashable {
    public var ids: [TokenID]
    /// For each token the UTF-8 bytes of the text that it came from.
    public var byteRanges: [Range<Int>]
}

/// Turns text into the tokens of a model, and back.
public final class Tokenizer: Sendable {
    enum Model: Sendable {
        case sentencePiece(SentencePieceBPE)
        case byteLevel(ByteLevelBPE)
    }

    private let model: Model
    /// What each token means as text; byte tokens mean their byte.
    private let pieces: [[UInt8]]
    private let names: Vocabulary
    private let specials: SpecialTokens
    /// Tokens that are no text: turn markers, BOS, EOS and the like.
    public let specialTokenIDs: Set<TokenID>
    public let bosID: TokenID?
    public let eosID: TokenID?
    public let padID: TokenID?
    public let unknownID: TokenID?
    /// Whether a text that stands for itself begins with BOS.
    public let addsBOS: Bool
    /// Every token that ends a generation.
    public let endOfTurnIDs: [TokenID]
    /// The chat template that came with the tokenizer, in Jinja.
    public let chatTemplateSource: String?

    init(
        model: Model, names: Vocabulary, pieces: [[UInt8]], specials: SpecialTokens, specialTokenIDs: Set<TokenID>,
        markers: GGUFVocabulary.Markers
    ) {
        self.model = model
        self.names = names
        self.pieces = pieces
        self.specials = specials
        self.specialTokenIDs = specialTokenIDs
        bosID = markers.bos
        eosID = markers.eos
        padID = markers.pad
        unknownID = markers.unknown
        addsBOS = markers.addsBOS
        chatTemplateSource = markers.chatTemplate
        let turns = ["<end_of_turn>", "<|im_end|>", "<|eot_id|>"].compactMap { names.id(of: $0) }
        endOfTurnIDs = Array(Set(turns + [markers.eos, markers.endOfTurn].compactMap { $0 })).sorted()
    }

    /// Reads the tokenizer of a GGUF file.
    /// - Throws: ``TokenizerError`` or `FormatError`, which name the file and what is wrong with it.
    public static func load(_ url: URL) throws -> Tokenizer {
        guard url.pathExtension.lowercased() == "gguf" else {
            throw TokenizerError(
                .unsupported, path: url.path, "holds no tokenizer that can be read yet.",
                advice: "Supported: .gguf files with a SentencePiece or a GPT-2 vocabulary.")
        }
        return try GGUFVocabulary.load(GGUFFile(contentsOf: url), path: url.path)
    }

    public var vocabularySize: Int { pieces.count }
    /// The number of a token by its exact name.
    public func id(of token: String) -> TokenID? { names.id(of: token) }
    /// The name of a token.
    public func token(of id: TokenID) -> String? {
        names.tokens.indices.contains(Int(id)) ? String(decoding: names.tokens[Int(id)], as: UTF8.self) : nil
    }

    /// Special tokens written in the text become those tokens.
    /// - Parameter addSpecialTokens: whether BOS comes first, where the tokenizer adds one.
    public func encode(_ text: String, addSpecialTokens: Bool = false) -> Encoding {
        var encoding = Encoding(ids: [], byteRanges: [])
        if addSpecialTokens, addsBOS, let bosID {
            encoding.ids.append(bosID)
            encoding.byteRanges.append(0..<0)
        }
        let bytes = Array(text.utf8)
        for (range, id) in specials.split(bytes) {
            if let id {
                encoding.ids.append(id)
                encoding.byteRanges.append(range)
                continue
            }
            switch model {
            case .sentencePiece(let model): model.encode(bytes, range, into: &encoding)
            case .byteLevel(let model): model.encode(bytes, range, into: &encoding)
            }
        }
        return encoding
    }

    /// The text of tokens; bytes that are no UTF-8 become U+FFFD, numbers outside the vocabulary nothing.
    public func decode(_ ids: [TokenID], skipSpecialTokens: Bool = false) -> String {
        var bytes: [UInt8] = []
        for id in ids where pieces.indices.contains(Int(id)) && !(skipSpecialTokens && specialTokenIDs.contains(id)) {
            bytes += pieces[Int(id)]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
