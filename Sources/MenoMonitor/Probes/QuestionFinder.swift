/// Finds the sentences of a text that ask something, in Japanese and in languages that write a question mark.
enum QuestionFinder {
    /// The questions of a text, in order, without what is only quoted.
    static func questions(in text: String) -> [String] {
        sentences(of: withoutQuotations(Array(text.prefix(6_000)))).filter(isQuestion).map {
            String($0).trimmed
        }
    }

    private static let marks: Set<Character> = ["？", "?", "؟", "⁇", "⁈", "⁉", "︖", "﹖"]
    private static let ends: Set<Character> = ["。", "！", "!", "．", "｡", "\n", "\r\n", "\r"]
    private static let closers: Set<Character> = ["」", "』", "）", ")", "”", "\"", "'", "’", "]", "】", "*", "_", "…"]

    // MARK: Sentences

    /// Sentences with the marks that end them.
    private static func sentences(of text: [Character]) -> [ArraySlice<Character>] {
        var sentences: [ArraySlice<Character>] = []
        var start = 0
        var index = 0
        while index < text.count {
            let isEnd = ends.contains(text[index]) || isMark(at: index, of: text) || isFullStop(at: index, of: text)
            index += 1
            guard isEnd else { continue }
            // "？！" and "？」" end one sentence.
            while index < text.count,
                marks.contains(text[index]) || ends.contains(text[index]) || closers.contains(text[index])
            {
                index += 1
            }
            sentences.append(text[start..<index])
            start = index
        }
        if start < text.count { sentences.append(text[start...]) }
        return sentences
    }

    /// A question mark ends a sentence unless it stands inside a word, as in an address.
    private static func isMark(at index: Int, of text: [Character]) -> Bool {
        guard marks.contains(text[index]) else { return false }
        guard text[index] == "?", index + 1 < text.count else { return true }
        let next = text[index + 1]
        return !(next.isASCII && (next.isLetter || next.isNumber || next == "=" || next == "&"))
    }

    private static func isFullStop(at index: Int, of text: [Character]) -> Bool {
        text[index] == "." && (index + 1 == text.count || text[index + 1].isWhitespace)
    }

    // MARK: Questions

    private static func isQuestion(_ sentence: ArraySlice<Character>) -> Bool {
        var body = sentence
        var isMarked = false
        while let last = body.last,
            last.isWhitespace || ends.contains(last) || closers.contains(last) || marks.contains(last) || last == "."
        {
            isMarked = isMarked || marks.contains(last)
            body.removeLast()
        }
        guard body.contains(where: { $0.isLetter }) else { return false }
        return isMarked || endsAsJapaneseQuestion(String(body))
    }

    private static let particles = [
        "かね", "かな", "かなあ", "かしら", "のかい", "るかい", "ないかい", "したかい", "ったかい", "ですかい", "何だい",
        "なんだい", "どうだい", "どこだい", "誰だい",
    ]
    /// Endings in か that are no question: proposals, exclamations, particles, and words that merely end so.
    private static let exceptions = [
        "ようか", "うではないか", "うじゃないか", "そうか", "ものか", "とか", "しか", "やか", "らか", "静か", "しずか",
        "豊か", "ゆたか", "確か", "たしか", "僅か", "わずか", "遥か", "はるか", "愚か", "おろか", "細か", "ほのか", "ほか",
        "なか", "ばか",
    ]
    private static let pronouns = ["何か", "なにか", "誰か", "だれか", "どこか", "いつか", "どれか"]

    private static func endsAsJapaneseQuestion(_ body: String) -> Bool {
        if particles.contains(where: body.hasSuffix) { return true }
        guard body.hasSuffix("か") else { return false }
        // "勇気とは何か" asks; "まだ何か" does not.
        if let pronoun = pronouns.first(where: body.hasSuffix) { return body.dropLast(pronoun.count).hasSuffix("は") }
        return !exceptions.contains(where: body.hasSuffix)
    }

    // MARK: Quotations

    private static let quotes: [Character: Character] = ["「": "」", "『": "』", "“": "”", "\"": "\""]

    /// Leaves out what is quoted inside a sentence; a quotation at the end of one is kept, as a way of speaking.
    private static func withoutQuotations(_ text: [Character]) -> [Character] {
        var kept: [Character] = []
        var index = 0
        // Each closing mark is looked for once, so that many opening ones cost no more than a few.
        var lastClosing: [Character: Int] = [:]
        for (place, character) in text.enumerated() where quotes.values.contains(character) {
            lastClosing[character] = place
        }
        while index < text.count {
            guard let closer = quotes[text[index]], let limit = lastClosing[closer], limit > index,
                let end = text[(index + 1)...limit].firstIndex(of: closer), isContinued(text, after: end)
            else {
                kept.append(text[index])
                index += 1
                continue
            }
            kept.append("〓")
            index = end + 1
        }
        return kept
    }

    private static func isContinued(_ text: [Character], after index: Int) -> Bool {
        guard let next = text[(index + 1)...].first(where: { $0 != " " && $0 != "　" }) else { return false }
        return
            !(next.isNewline || marks.contains(next) || ends.contains(next) || next.isUppercase || quotes[next] != nil)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
