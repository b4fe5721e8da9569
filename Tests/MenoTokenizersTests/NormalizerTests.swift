import Testing

@testable import MenoTokenizers

@Suite struct NormalizerTests {
    /// As Python's `unicodedata.normalize` gives them.
    @Test(arguments: [
        (Normalizer.Form.nfkc, "\u{FF8A}\u{FF9F}\u{FF70}ﾊﾞ", "\u{30D1}\u{30FC}\u{30D0}"),
        (.nfkc, "\u{FF76}\u{3099}x\u{30AB}\u{FF9E}", "\u{30AC}x\u{30AC}"), (.nfkc, "\u{3131}\u{314F}", "\u{AC00}"),
        (.nfkc, "\u{FFA1}\u{FFC2}\u{11A8}", "\u{AC01}"), (.nfkc, "\u{1E9B}\u{0323}", "\u{1E69}"),
        (.nfkc, "ﬁ①Ａ", "fi1A"), (.nfc, "\u{AC00}\u{11A8}", "\u{AC01}"), (.nfc, "\u{1100}\u{1161}", "\u{AC00}"),
        (.nfc, "q\u{307}\u{323}e\u{301}", "q\u{323}\u{307}\u{E9}"),
        (.nfc, "\u{FF8A}\u{FF9F}\u{3131}\u{314F}", "\u{FF8A}\u{FF9F}\u{3131}\u{314F}"),
        (.nfc, "\u{958}", "\u{915}\u{93C}"),
        (.nfd, "\u{AC01}", "\u{1100}\u{1161}\u{11A8}"), (.nfkd, "\u{FF8A}\u{FF9F}", "\u{30CF}\u{309A}"),
    ]) func normalFormsAreUnicodes(_ form: Normalizer.Form, _ source: String, _ expected: String) {
        var text = AlignedText(Array(source.utf8), 0..<source.utf8.count)
        Normalizer.form(form).apply(to: &text)
        #expect(Array(String(decoding: text.bytes, as: UTF8.self).unicodeScalars) == Array(expected.unicodeScalars))
        // Every byte comes from the source, in its order.
        let origins = (0...text.bytes.count).map(text.origin)
        #expect(origins == origins.sorted() && origins.last == source.utf8.count)
    }
}
