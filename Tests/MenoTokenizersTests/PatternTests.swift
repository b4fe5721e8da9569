import Foundation
import Testing

@testable import MenoTokenizers

/// What Oniguruma finds was written down with the `onig` that Hugging Face's tokenizers use (`Split` with `Isolated`).
@Suite struct PatternTests {
    private func matches(_ pattern: String, _ text: String) throws -> [String] {
        let bytes = Array(text.utf8)
        return try Pattern(pattern).matches(in: ScalarText(bytes[...])).map {
            String(decoding: bytes[$0], as: UTF8.self)
        }
    }

    @Test(arguments: [
        (#"a|ab"#, "abab", ["a", "a"]),
        (#"(?:a|ab)c"#, "abcac", ["abc", "ac"]),
        (#"\s+(?!\S)|\s+"#, "a   b ", ["  ", " ", " "]),
        (#"(?i:'s|'re)"#, "It'S we'RE ’s 'ſ", ["'S", "'RE", "'ſ"]),
        (#"\p{N}{1,3}"#, "12345 ٣½", ["123", "45", "٣½"]),
        (#"[^\r\n\p{L}\p{N}]?+\p{L}+"#, "!漢字 abc\nd", ["!漢字", " abc", "d"]),
        (#"a+?b"#, "aaab", ["aaab"]),
        (#"(?>a+)ab|b"#, "aaab", ["b"]),
        (#"\bfoo\b"#, "foo food foo", ["foo", "foo"]),
        (#"[\x{3042}-\x{3044}ー]+"#, "あいうー", ["あい", "ー"]),
        (#"x(?=y)"#, "xyx", ["x"]),
        (#"[[a-c][x]]+"#, "abxd", ["abx"]),
        (#"^."#, "ab\ncd", ["a", "c"]),
        (#"\P{L}+"#, "ab12 c", ["12 "]),
        (#"[^\S\n]+"#, " \n\t ", [" ", "\t "]),
        (#"\p{N}{1,3}+"#, "12345678 9", ["12345678", "9"]),
        (#"a{2}?"#, "aaaab", ["aa", "aa", ""]),
        (#"[[:alpha:]]+"#, "abⅧ1ⓐ漢", ["abⅧ", "ⓐ漢"]),
        (#"[^[:space:]x]+"#, "ab x:c", ["ab", ":c"]),
        (#"[[:^digit:]]+|[[:xdigit:]]"#, "g1a", ["g", "1", "a"]),
        (#"[[:punct:]]+"#, "a+b$!~、😀", ["+", "$!~、😀"]),
        (#"(?i)[^a-c]+"#, "aBxÇC", ["xÇ"]),
        (#"(?i)[[^a-c]x]"#, "aBx", ["a", "B", "x"]),
        (#"(?i)\p{Lu}+|[\p{Ll}]b"#, "aAb", ["A"]),
        (#"\w+"#, "Ⅷ ⓐ² x\u{200D}y", ["Ⅷ", "ⓐ²", "x", "y"]),
        (#"[\w]+"#, "ⓐ²", ["ⓐ"]),
        (#"\Aa|b\z"#, "aab\nab", ["a", "b"]),
        (#"\b"#, "ab, c", ["", "", "", ""]),
        (#"x?"#, "axb", ["", "x", ""]),
        (#"\p{Han}+|\P{Han}"#, "a漢々〇あ𠮷", ["a", "漢々〇", "あ", "𠮷"]),
        (#"[\p{Lo}a-c&&[^\p{Han}b]]+"#, "abcあ漢い", ["a", "cあ", "い"]),
        (#"[^a-c&&b-d]+"#, "abcd", ["a", "d"]),
    ]) func finds(_ pattern: String, _ text: String, _ expected: [String]) throws {
        #expect(try matches(pattern, text) == expected)
    }

    @Test(arguments: [
        "(", ")", "[a", "[[:foo:]]", #"\pL"#, "a{3,2}", "*a", "(?<=a)b", #"\p{Greek}"#, #"\1"#, "(a*)*", "[z-a]",
        #"\q"#,
        "(?",
        #"\x{110000000}"#,
        "(?:ab){9999}{9}", String(repeating: "(", count: 5_000),
    ]) func isRefused(_ pattern: String) {
        #expect(throws: PatternError.self) { try Pattern(pattern) }
    }

    /// Patterns that naive backtracking needs longer than the age of the universe for. (The limit ends a test that hangs; on a
    /// busy machine, with all tests side by side, a minute is not much.)
    @Test(.timeLimit(.minutes(20)), arguments: [#"(?:a|aa)+$"#, #"(?:a+)+b"#, #"(?:a?){30}a{30}c"#, #"(?:\w|a)+!"#])
    func timeIsBounded(_ pattern: String) throws {
        let text = String(repeating: "a", count: 300) + "d"
        guard let pattern = try? Pattern(pattern) else { return }
        #expect(pattern.matches(in: ScalarText(Array(text.utf8)[...])).isEmpty)
    }
}
