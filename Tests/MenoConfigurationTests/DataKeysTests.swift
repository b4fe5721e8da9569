import Foundation
import MenoData
import MenoTesting
import Testing

@testable import MenoConfiguration

@Suite struct DataKeysTests {
    private func data(_ yaml: String) throws -> RunConfiguration.Data {
        try RunConfiguration.read(yaml: "model: {name_or_path: m}\n\(yaml)", name: "run.yaml").data
    }

    @Test func aPathIsOneOrSeveral() throws {
        #expect(try data("data: {path: a.json}").allSources == [DataSource(["a.json"])])
        let several = try data("data: {path: [a.json, \"b/*.csv\"]}")
        #expect(several.allSources == [DataSource(["a.json", "b/*.csv"])] && several.path == "a.json")
    }

    @Test func sourcesAreReadAndWrittenBack() throws {
        let text = """
            data:
              sources:
                - {path: a.json, weight: 3}
                - {path: [b.csv, c/], weight: 0.5, max_samples: 10, format: alpaca, split: test}
            """
        var expected = DataSource(["a.json"], weight: 3)
        #expect(try data(text).sources[0] == expected)
        expected = DataSource(["b.csv", "c/"], weight: 0.5, maxSamples: 10, format: .alpaca, split: "test")
        #expect(try data(text).sources[1] == expected)
        let run = try RunConfiguration.read(yaml: "model: {name_or_path: m}\n\(text)", name: "run.yaml")
        let again = try RunConfiguration.read(yaml: run.yaml, name: "again")
        #expect(again.data.sources == run.data.sources && again.yaml == run.yaml)
        for wrong in [
            "[{weight: 1}]", "[{path: a, weights: 1}]", "[{path: a, max_samples: 0}]", "[{path: a, format: x}]",
        ] {
            #expect(throws: ConfigurationError.self, "\(wrong)") { try data("data: {sources: \(wrong)}") }
        }
        #expect(throws: ConfigurationError.self) { try data("data: {path: a, sources: [{path: b}]}") }
        #expect(throws: ConfigurationError.self) { try data("data: {seed: 1}") }
    }

    @Test func mappingsAreOfKnownNames() throws {
        #expect(try data("data: {path: a, mapping: {role: from}}").mapping == RecordMapping(["role": "from"]))
        let error = #expect(throws: ConfigurationError.self) { try data("data: {path: a, mapping: {rolle: from}}") }
        #expect(error?.message.contains("role") == true)
    }

    @Test func evaluationDataNeedNoHeldOutExamples() throws {
        let held = try data("data: {path: a, eval_path: b.jsonl, train_fraction: 1.0}")
        #expect(held.evaluationPaths == ["b.jsonl"])
        #expect(throws: ConfigurationError.self) { try data("data: {path: a, train_fraction: 1.0}") }
    }

    /// The configurations in `Documentation/data.md` can be read.
    @Test func theExamplesOfThePageAreTaken() throws {
        let page = try String(contentsOf: Fixtures.repository.appending(path: "Documentation/data.md"), encoding: .utf8)
        let blocks = page.components(separatedBy: "```").filter { $0.hasPrefix("yaml\n") }
        #expect(blocks.count >= 7)
        for block in blocks { _ = try data(String(block.dropFirst(5))) }
    }
}
