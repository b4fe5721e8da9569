import Foundation
import MenoTesting
import Testing

@Suite struct InitCommandTests {
    private let tiny: TinyModel
    private var file: URL { tiny.folder.url.appending(path: "new.yaml") }

    init() throws { tiny = try TinyModel() }

    private func initialize(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
        try meno(["init", file.path] + arguments, folder: tiny.folder.url)
    }

    @Test func whatIsWrittenIsTrainedAsItIs() throws {
        // The only data file of the folder is taken; nobody is asked where there is no terminal.
        let result = try initialize("--model", "tiny", "--epochs", "1")
        #expect(result.status == 0, "\(result.errors)")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("path: data.jsonl") && text.contains("40 records: 40 used"))
        #expect(text.contains("# passes over the data") && text.contains("target_modules: all-linear"))
        #expect(text.contains("loss_on: all"))
        let trained = try meno(
            ["train", file.path, "--set", "training.bf16=false"], threads: 1, folder: tiny.folder.url)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(
            FileManager.default.fileExists(
                atPath: tiny.folder.url.appending(path: "runs/data/model/adapter_model.safetensors").path))
        let again = try initialize("--model", "tiny")
        #expect(again.status == 65 && again.errors.contains("already exists") && again.errors.contains("--overwrite"))
        #expect(try initialize("--model", "tiny", "--overwrite", "--yes").status == 0)
    }

    @Test(arguments: [
        ("pairs", #"{"prompt": "a", "chosen": "b c", "rejected": "d"}"#, "dpo"),
        ("judged", #"{"prompt": "a", "completion": "b", "label": true}"#, "kto"),
        (
            "dialogues", #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#,
            "lora"
        ),
    ]) func theMethodFollowsFromTheData(_ name: String, _ line: String, _ method: String) throws {
        let data = tiny.folder.url.appending(path: "\(name).jsonl")
        let lines = (0..<20).map { line.replacing("\"a\"", with: "\"a what \($0)\"") }
        try lines.joined(separator: "\n").write(to: data, atomically: true, encoding: .utf8)
        let result = try initialize("--model", "tiny", "--data", data.path, "--yes")
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("steps of \(method)."), "\(result.output)")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("objective: \(method)") == (method != "lora"))
        #expect(text.contains("loss_on: completions"))
    }

    @Test func whatCannotBeIsRefused() throws {
        for (arguments, words) in [
            (["--model", "tiny", "--data", "nowhere.jsonl"], "nowhere.jsonl"),
            (["--model", "no such thing"], "no such thing"),
            (["--model", "tiny", "--method", "dpo"], "needs pairs"),
        ] {
            let result = try meno(["init", file.path] + arguments, folder: tiny.folder.url)
            #expect([65, 66].contains(result.status) && result.errors.contains(words), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: file.path))
        }
        #expect(try initialize("--method", "sft").status == 64)
        try Data("{}".utf8).write(to: tiny.folder.url.appending(path: "other.jsonl"))
        let several = try initialize("--model", "tiny", "--yes")
        #expect(several.status == 65 && several.errors.contains("there are several"))
    }

    /// On a terminal each question is asked, and one that is answered wrongly is asked again.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
    func questionsAreAsked() throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "meno").path
        let answers = tiny.folder.url.appending(path: "answers")
        try Data("tiny\n\ndpo\nlora\n2\nsomewhere/else\n".utf8).write(to: answers)
        let process = Process()
        // Runs a command on a terminal of its own.
        process.executableURL = URL(filePath: "/usr/bin/script")
        process.arguments = ["-qec", "'\(program)' init '\(file.path)'", "/dev/null"]
        process.currentDirectoryURL = tiny.folder.url
        process.standardInput = try FileHandle(forReadingFrom: answers)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let shown = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(shown)")
        for question in ["Which model?", "Which data?", "Which method? [lora]", "needs pairs", "[5]", "Which folder"] {
            #expect(shown.contains(question), "\(question)\n\(shown)")
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("name_or_path: tiny") && text.contains("path: data.jsonl"))
        #expect(text.contains("num_train_epochs: 2 ") && text.contains("base_output_dir: somewhere/else"))
    }
}
