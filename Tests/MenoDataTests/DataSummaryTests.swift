import Foundation
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

/// What is counted of records, whatever the chunks that they are counted in.
@Suite struct DataSummaryTests {
    /// Texts of pieces that combine with each other, or not, in every order.
    private func texts(_ count: Int) -> [String] {
        let pieces = [
            "a", "Z", " ", "\n", "\r", "\r\n", "é", "e\u{301}", "\u{301}", "勇", "気", "か", "か\u{3099}", "ー", "。", "ｶ",
            "ﾞ",
            "한", "\u{1112}", "\u{1161}", "\u{11AB}", "👩", "\u{200D}", "👧", "🏽", "🇯", "🇵", "❤", "\u{FE0F}", "©", "क",
            "\u{94D}",
            "ष", "ि", "ก", "ำ", "ש", "ا", "Ж", "Ω", "𠀋", "\u{0}", "\u{AD}", "\u{2028}", "\u{85}", "\u{600}", "1",
            "\u{E0020}",
        ]
        var generator = SeededGenerator(seed: 11)
        return (0..<count).map { _ in
            (0..<Int.random(in: 0...12, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }
                .joined()
        }
    }

    @Test func charactersAreThoseThatSwiftCounts() {
        for text in texts(20_000) + [String(repeating: "勇気とは何か。", count: 300)] {
            var measure = TextMeasure()
            measure.add(text)
            #expect(measure.characters == text.count, "\(text.unicodeScalars.map { String($0.value, radix: 16) })")
        }
    }

    /// Every scalar that stands alone, beside every kind of other one.
    @Test func scalarsThatStandAloneAreCharactersOfTheirOwn() {
        let alone = (0..<0x20100).compactMap { Unicode.Scalar(UInt32($0)) }.filter {
            ScalarClasses.found($0) & ScalarClasses.alone != 0
        }
        #expect(alone.count > 30_000)
        for others in ["a", "勇", "\n", "한", "❤", "カ"] as [Unicode.Scalar] {
            // Twice as many characters as pairs, where no two scalars make one.
            let joined = String(String.UnicodeScalarView(alone.flatMap { [$0, others] }))
            #expect(joined.count == 2 * alone.count)
        }
    }

    @Test func theScriptIsThatOfMostLetters() {
        for (text, script) in [
            ("勇気とは", Script.japanese), ("是什么 abc", .chinese), ("それは是什么是什么是什么", .japanese), ("12 + 3", nil),
            ("abc дом", .latin), ("дома abc", .cyrillic), ("𠀋𠀋a", .chinese), ("ｶﾅa", .japanese),
        ] {
            var measure = TextMeasure()
            measure.add(text)
            #expect(measure.script == script, "\(text)")
        }
        // So many letters are enough.
        var measure = TextMeasure()
        measure.add(String(repeating: "a", count: 4000))
        measure.add(String(repeating: "あ", count: 9000))
        #expect(measure.script == .latin && measure.characters == 13_000)
    }

    @Test func fingerprintsHeedEverythingButWhiteSpace() {
        let fingerprint = { (text: String) in Record(place: "", content: .text(text)).fingerprint }
        let plain = fingerprint("勇気 とは")
        let wrong = (0..<0x11000).compactMap { Unicode.Scalar(UInt32($0)) }.filter { scalar in
            let text = "\(scalar)勇気\(scalar)\(scalar) とは\(scalar)"
            return (fingerprint(text) == plain) != scalar.properties.isWhitespace
        }
        #expect(wrong.isEmpty)
        #expect(fingerprint("ab") != fingerprint("a b") && fingerprint("") == fingerprint(" "))
        let pair = { (a: String, b: String) in
            Record(place: "", content: .completion(prompt: a, completion: b)).fingerprint
        }
        #expect(pair("ab", "c") != pair("a", "bc") && pair("a", "b") != pair("b", "a"))
        let all = texts(5000)
        let normal = { (text: String) in text.split(whereSeparator: { $0.isWhitespace }).joined(separator: " ") }
        // Words of characters: marks that follow white space make other ones.
        let simple = all.filter { text in !text.unicodeScalars.contains { $0.properties.isGraphemeExtend } }
        #expect(Set(simple.map(fingerprint)).count <= Set(simple).count)
        for (a, b) in zip(simple, simple.dropFirst()) where normal(a) != normal(b) {
            #expect(fingerprint(a) != fingerprint(b))
        }
    }

    @Test func aSpreadIsThatOfTheSortedNumbers() throws {
        var generator = SeededGenerator(seed: 4)
        for count in [1, 2, 3, 10, 11, 1000] {
            let numbers = (0..<count).map { _ in Int.random(in: 0..<50, using: &generator) }
            var histogram = Histogram()
            for number in numbers { histogram.add(number) }
            let sorted = numbers.sorted()
            let spread = try #require(histogram.spread)
            #expect(spread.least == sorted[0] && spread.most == sorted[count - 1])
            #expect(spread.half == sorted[min(count - 1, Int(0.5 * Double(count)))])
            #expect(spread.nineTenths == sorted[min(count - 1, Int(0.9 * Double(count)))])
            #expect(spread.total == numbers.reduce(0, +))
        }
        #expect(Histogram().spread == nil)
    }

    @Test(arguments: [100, 20_000]) func repeatedFingerprintsAreCounted(_ count: Int) {
        var generator = SeededGenerator(seed: 9)
        var set = FingerprintSet()
        var all: [UInt64] = []
        for _ in 0..<count {
            // A third are repeated.
            let isRepeated = Int.random(in: 0..<3, using: &generator) == 0
            let new = UInt64.random(in: .min ... .max, using: &generator)
            let fingerprint = isRepeated ? all.randomElement(using: &generator) ?? new : new
            all.append(fingerprint)
            set.add(fingerprint)
        }
        #expect(set.count == count && Set(set.all) == Set(all))
        let sorted = set.sorted()
        #expect(sorted.repeatedCount == count - Set(all).count && sorted.repeatedCount > 0)
        #expect(all.allSatisfy(sorted.contains) && !sorted.contains(12345))
    }

    private func records() -> [Record] {
        texts(300).enumerated().map { index, text in
            let content: Record.Content =
                switch index % 4 {
                case 0: .text(text)
                case 1: .completion(prompt: text, completion: "c")
                case 2: .tokens([1, 2, index], labels: [1, 2, index])
                default: .dialogue([.init(.user, text), .init(.assistant, "勇気とは"), .init(.user, "x")])
                }
            var record = Record(
                place: "line \(index)", source: index % 3 == 0 ? "s\(index % 7)" : nil, content: content)
            if index % 10 == 0 { record.rejected = content }
            return record
        }
    }

    @Test func chunksAreCountedAsTheWhole() throws {
        let records = records()
        let whole = DataSummary(records)
        #expect(whole.records == 300 && whole.pairs == 30 && whole.duplicates > 0 && whole.languages.count > 4)
        #expect(whole.shapes.map(\.records) == [75, 75, 75, 75] && whole.turns?.most == 3)
        for size in [1, 7, 100] {
            var sum = DataTally()
            for start in stride(from: 0, to: records.count, by: size) {
                var tally = DataTally()
                for record in records[start..<min(start + size, records.count)] { tally.add(record) }
                // As a store keeps it.
                sum.add(try JSONDecoder().decode(DataTally.self, from: JSONEncoder().encode(tally)))
            }
            #expect(sum.summary == whole)
        }
    }

    @Test func damagedTalliesAreErrorsAndNeverCrash() throws {
        var tally = DataTally()
        for record in records().prefix(40) { tally.add(record) }
        let text = String(decoding: try JSONEncoder().encode(tally), as: UTF8.self)
        let bytes = [UInt8](
            try #require(Data(base64Encoded: String(text.dropFirst().dropLast()).replacing("\\/", with: "/"))))
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<3000 {
            let json = try JSONEncoder().encode(Data(mutated(bytes, using: &generator)))
            _ = try? JSONDecoder().decode(DataTally.self, from: json)
        }
    }
}
