import Foundation
import MenoTesting
import Testing

@testable import MenoFormats

/// What `scripts/fault-test` cannot see: messages, and names that nobody may take away.
@Suite struct WholeFileTests {
    private let folder = try! TemporaryFolder()

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
    }

    @Test(arguments: [WholeFile.Durability.none, .contents, .name]) func aFileIsReplaced(
        _ durability: WholeFile.Durability
    ) throws {
        let url = folder.url.appending(path: "run.yaml")
        for text in ["a longer text", "text", ""] {
            try WholeFile.write(Data(text.utf8), to: url, durability: durability, isShared: durability == .contents)
            #expect(try String(contentsOf: url, encoding: .utf8) == text)
        }
        #expect(try names == ["run.yaml"])
    }

    @Test func whatCannotBeReplacedStaysAndIsNamed() throws {
        let url = folder.url.appending(path: "config.json")
        try WholeFile.createFolder(url.appending(path: "a/b"))
        let error = #expect(throws: FormatError.self) { try WholeFile.write(Data("{}".utf8), to: url) }
        #expect(error?.code == .inputOutput && error?.place == url.path)
        #expect(try names == ["config.json"])
        let missing = folder.url.appending(path: "missing/config.json")
        let absent = #expect(throws: FormatError.self) { try WholeFile.write(Data("{}".utf8), to: missing) }
        #expect(absent?.localizedDescription == "cannot be created (No such file or directory)")
    }

    @Test func onlyUnfinishedFilesOfThisProcessArePartial() {
        let isPartial = { (name: String) in WholeFile.isPartial(folder.url.appending(path: name)) }
        #expect(isPartial(".adapter_config.json.partial") && isPartial(".model.safetensors.partial"))
        for name in ["model.partial", ".checkpoint-4.partial", ".report.html.4711.partial", ".lock", "a.b.partial"] {
            #expect(!isPartial(name), "\(name)")
        }
    }
}
