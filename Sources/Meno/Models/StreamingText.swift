internal import MenoTokenizers

/// Decodes tokens to text as they arrive. A character whose bytes span tokens is held back until
/// its last token.
struct StreamingText {
    private let tokenizer: Tokenizer
    private var ids: [Int32] = []
    private(set) var shown = ""

    init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    mutating func append(_ id: Int32) -> String {
        ids.append(id)
        let text = tokenizer.decode(ids, skipSpecialTokens: true)
        return text.hasSuffix("\u{FFFD}") ? "" : show(text)
    }

    mutating func finish() -> String { show(tokenizer.decode(ids, skipSpecialTokens: true)) }

    private mutating func show(_ text: String) -> String {
        let piece = String(decoding: text.utf8.dropFirst(shown.utf8.count), as: UTF8.self)
        shown = text
        return piece
    }
}
