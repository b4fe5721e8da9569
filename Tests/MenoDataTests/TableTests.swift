import Foundation
import MenoTesting
import Testing

@testable import MenoData

@Suite struct TableTests {
    @Test func fieldsAreThoseOfTheStandard() throws {
        let text = "\u{FEFF}prompt,completion\r\n\"a \"\"b\"\",\nc\", d\r\n\r\n5\" disk,\"x\"y\r\n,\"\"\r\nlast,row"
        let (records, report) = try read(text, "a.csv")
        #expect(
            records.map(\.content) == [
                .completion(prompt: "a \"b\",\nc", completion: " d"), .completion(prompt: "5\" disk", completion: "xy"),
                .completion(prompt: "last", completion: "row"),
            ])
        #expect(records.map(\.place) == ["line 2", "line 5", "line 7"])
        #expect(report.problems.map(\.place) == ["line 6"])
    }

    @Test func rowsOfAnotherLengthAreNamedAndSpoilNoOther() throws {
        let (records, report) = try read("text,source\na,b\nc\nd,e,f\ng,h\n\"never closed,x\ni,j\n", "a.csv")
        #expect(records.map(\.content) == [.text("a"), .text("g"), .text("i")])
        #expect(report.problems.map(\.place) == ["line 3", "line 4", "line 6"])
        #expect(report.problems.allSatisfy { $0.kind == .raggedRow })
        #expect(report.problems[0].reason.contains("has 1 fields; the first row names 2 columns"))
        #expect(report.problems[2].reason.contains("never closed"))
    }

    @Test func bytesThatAreNotUTF8AreNamedByLine() throws {
        let data = Data("text\na\n".utf8) + [0xE9] + Data("\nb\n".utf8)
        let (records, report) = try RecordFile.read(data, of: URL(filePath: "a.csv"))
        #expect(records.map(\.content) == [.text("a"), .text("b")])
        #expect(report.problems.map(\.kind) == [.notUTF8] && report.problems[0].place == "line 3")
    }

    @Test func turnsAndLabelsMayStandInFields() throws {
        let turns = #""[{""role"": ""user"", ""content"": ""Hi""}, {""role"": ""assistant"", ""content"": ""Yes?""}]""#
        let (records, _) = try read("messages\n\(turns)\n", "a.csv")
        #expect(records.map(\.content) == [.dialogue([.init(.user, "Hi"), .init(.assistant, "Yes?")])])
        let (judged, _) = try read("prompt,completion,label\na,b,True\nc,d,0\n", "a.csv")
        #expect(judged.map { $0.variables.first?.value } == [.boolean(true), .boolean(false)])
    }

    @Test func columnsHaveNamesOfTheirOwn() {
        let error = #expect(throws: DataError.self) { try read("text,text\na,b\n", "a.csv") }
        #expect(error?.message.contains("two columns \"text\"") == true)
        #expect(throws: DataError.self) { try read("", "a.csv") }.map { #expect($0.message.contains("is empty")) }
    }

    @Test func aTextFileIsReadByLinesParagraphsOrWhole() throws {
        let text = "one\r\ntwo\n\n \nthree\nfour"
        for (unit, texts, places) in [
            (TextUnit.line, ["one", "two", "three", "four"], ["line 1", "line 2", "line 5", "line 6"]),
            (.paragraph, ["one\r\ntwo", "three\nfour"], ["line 1", "line 5"]), (.document, [text], ["document"]),
        ] {
            let folder = try TemporaryFolder()
            let url = folder.url.appending(path: "a.txt")
            try Data(text.utf8).write(to: url)
            let (records, _) = try RecordFile.read(RecordSources([DataSource([url.path])], seed: 0, unit: unit))
            #expect(records.map(\.content) == texts.map { .text($0) } && records.map(\.place) == places)
        }
    }

    @Test func mutatedTablesAreErrorsAndNeverCrash() throws {
        let original = Array("prompt,completion\n\"a \"\"b\"\",\nc\",d\ne,f\n\"g\",\"h\"\r\n".utf8)
        var generator = SeededGenerator(seed: 8)
        for round in 0..<10_000 {
            let name = ["a.csv", "a.tsv", "a.txt"][round % 3]
            _ = try? RecordFile.read(Data(mutated(original, using: &generator)), of: URL(filePath: name))
        }
    }

    private func read(_ text: String, _ name: String) throws -> (records: [Record], report: DataReport) {
        try RecordFile.read(Data(text.utf8), of: URL(filePath: name))
    }
}
