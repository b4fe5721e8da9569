import Foundation
import MenoTesting
import Testing

/// The program as a user runs it.
@Suite struct CommandTests {
    @Test func inputThatIsNotThereIsExitCode66() throws {
        let result = try meno("inspect", "/nowhere/model")
        #expect(result.status == 66)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("/nowhere/model"))
        #expect(try meno("tokenize", "--model", "/nowhere.gguf", "--text", "a").status == 66)
    }

    @Test func badInputIsExitCode65() throws {
        #expect(try meno("inspect", Fixtures.repository.appending(path: "README.md").path).status == 65)
        // A GGUF file without a vocabulary.
        let storage = Fixtures.url("formats/storage.gguf").path
        #expect(try meno("tokenize", "--model", storage, "--text", "a").status == 65)
    }

    @Test func everyBadRecordIsNamed() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "bad.jsonl")
        try Data((#"{"text": "good"}"# + "\n" + String(repeating: "{}\n", count: 30)).utf8).write(to: file)
        let result = try meno("inspect", file.path)
        #expect(result.status == 0)
        for line in 2...31 { #expect(result.output.contains(" line \(line) ")) }
    }

    @Test func ofVeryManyBadRecordsTheFirstAreNamed() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "bad.jsonl")
        try Data((#"{"text": "good"}"# + "\n" + String(repeating: "{}\n", count: 2500)).utf8).write(to: file)
        let result = try meno("inspect", file.path)
        #expect(result.output.contains("2501 records: 1 used, 2500 left out (2500 unknown shape)"))
        #expect(result.output.contains(" line 1001 ") && !result.output.contains(" line 1002 "))
        #expect(result.output.contains("… and 1500 more"))
    }

    @Test func whereThePathIsAnArgumentNoOptionIsNamedForIt() throws {
        let errors = try meno("inspect", "/nowhere/x.jsonl").errors
        #expect(errors.contains("Check the path of the data.") && !errors.contains("--data"), "\(errors)")
    }

    /// What a shell makes of `<(…)` has no size.
    @Test func dataAndConfigurationsAreReadFromPipes() throws {
        let tiny = try TinyModel()
        try tiny.write("max_steps: 1, eval_strategy: no, save_strategy: no")
        let text = #"{"text": "abc"}"#
        for (arguments, input, expected) in [
            (["tokenize", "--model", tiny.model.path, "--count", "--file"], text, #""tokens":3"#),
            (["evaluate", "--model", tiny.model.path, "--data"], text, "samples         1"),
            (["plan"], try String(contentsOf: tiny.file, encoding: .utf8), "steps     1"),
        ] {
            let pipe = tiny.folder.url.appending(path: "pipe-\(arguments[0])")
            #expect(mkfifo(pipe.path, 0o600) == 0)
            let writer = Thread { try? Data(input.utf8).write(to: pipe) }
            writer.start()
            let result = try meno(arguments + [pipe.path], threads: 1)
            #expect(result.status == 0 && result.output.contains(expected), "\(result.output)\(result.errors)")
        }
    }

    @Test func aTildeIsTheHomeFolderInAModelsPathToo() throws {
        let tiny = try TinyModel()
        let home = ["CFFIXED_USER_HOME": tiny.folder.url.path]
        let result = try meno(["tokenize", "--model", "~/tiny", "--text", "abc", "--count"], environment: home)
        #expect(result.status == 0 && result.output.contains(#""tokens":3"#), "\(result.errors)")
    }

    @Test func logitsThatCannotBeWrittenAreToldBeforeAnythingIsComputed() throws {
        let tiny = try TinyModel()
        let result = try meno(
            "evaluate", "--model", tiny.model.path, "--data", tiny.data.path, "--logits", "/nowhere/x.safetensors")
        #expect(result.status == 65 && result.errors.contains("/nowhere") && result.output.isEmpty)
    }

    @Test func aRunWhoseSettingsCannotBeReadIsToldOf() throws {
        let tiny = try TinyModel()
        #expect(try tiny.train("max_steps: 1, eval_strategy: no, save_strategy: no").status == 0)
        let replay = { try meno("monitor", "replay", tiny.run.path) }
        #expect(try !replay().errors.contains("run.yaml"))
        try Data("monitor: {no_such_key: 1}".utf8).write(to: tiny.run.appending(path: "run.yaml"))
        let result = try replay()
        #expect(result.status == 0 && result.errors.contains("run.yaml"))
        #expect(result.errors.contains("default thresholds"))
    }

    @Test func wrongUsageIsExitCode64() throws {
        #expect(try meno("tokenize", "--model", "x.gguf").status == 64)
        #expect(try meno("no-such-command").status == 64)
    }

    @Test func aModelIsDescribed() throws {
        let result = try meno("inspect", Fixtures.url("models/gemma3-tiny").path)
        #expect(result.status == 0)
        #expect(result.output.contains("gemma3_text"))
        #expect(result.output.contains("4, 3 of them within a window of 8"))
    }

    @Test(.enabled(if: Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf") != nil, "the model is not in the cache"))
    func tokensAreJSONLines() throws {
        let model = try #require(Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf")).path
        let result = try meno("tokenize", "--model", model, "--text", "Hello/<|im_end|>", "--json")
        #expect(result.status == 0)
        struct Line: Decodable {
            var text: String
            var ids: [Int]
        }
        let line = try JSONDecoder().decode(Line.self, from: Data(result.output.utf8))
        #expect(line.text == "Hello/<|im_end|>")
        #expect(line.ids.last == 2)
    }
}
