import Foundation
import MenoTesting
import Testing

@testable import MenoData

/// The records in `Documentation/data.md` are read as it says.
@Suite struct DataDocumentTests {
    @Test func everyRecordOfThePageIsRead() throws {
        let page = try String(contentsOf: Fixtures.repository.appending(path: "Documentation/data.md"), encoding: .utf8)
        var count = 0
        for block in page.components(separatedBy: "```").enumerated().filter({ $0.offset % 2 == 1 }).map(\.element) {
            let kind = block.prefix { $0 != "\n" }
            let text = Data(block.dropFirst(kind.count + 1).utf8)
            let mapping = RecordMapping(
                kind.hasSuffix("mapped")
                    ? ["messages": "chat", "role": "speaker", "content": "says", "user": "Q", "assistant": "A"] : [:])
            guard let name = kind.split(separator: " ").first, ["jsonl", "csv"].contains(name) else { continue }
            var reader = try SourceFile(text, of: URL(filePath: "page.\(name)")).records()
            while let raw = try reader.next() {
                let decoded = RecordDecoder(format: .auto, mapping: mapping).decode(raw)
                #expect(decoded.problem == nil, "\(block)")
                count += 1
            }
        }
        #expect(count >= 18)
    }
}
