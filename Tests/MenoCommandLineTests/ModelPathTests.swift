import Foundation
import MenoTesting
import Testing

/// What is given as a model: names that are not there yet, adapters, runs, files of other kinds.
@Suite struct ModelPathTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    /// A checkout whose script writes a file instead of downloading one.
    private func checkout(fetching text: String) throws -> [String: String] {
        let (root, cache) = (tiny.folder.url.appending(path: "checkout"), tiny.folder.url.appending(path: "cache"))
        let script = root.appending(path: "scripts/fetch-model")
        try FileManager.default.createDirectory(
            at: script.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(
            """
            #!/bin/sh
            echo "fetching $1"
            mkdir -p "$MENO_CACHE/models" && printf '\(text)' > "$MENO_CACHE/models/SmolLM2-135M-Instruct.Q4_1.gguf"
            """.utf8
        ).write(to: script)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)
        return ["MENO_ROOT": root.path, "MENO_CACHE": cache.path, "HF_HOME": cache.path, "HF_HUB_CACHE": ""]
    }

    @Test func aNamedModelThatIsNotThereIsOfferedByEveryCommand() throws {
        let environment = try checkout(fetching: "no model")
        try tiny.write("max_steps: 1")
        let set = ["--set", "model.name_or_path=smollm2-135m"]
        let commands = [
            ["evaluate", "--model", "smollm2-135m", "--data", tiny.data.path],
            ["chat", "--model", "smollm2-135m", "--prompt", "a"],
            ["tokenize", "--model", "smollm2-135m", "--text", "a"],
            ["inspect", "smollm2-135m"], ["inspect", tiny.data.path, "--model", "smollm2-135m"],
            ["train", tiny.file.path] + set, ["plan", tiny.file.path] + set,
        ]
        for command in commands {
            let refused = try meno(command, threads: 1, environment: environment, redirection: "</dev/null")
            #expect(refused.status == 66, "\(command): \(refused.errors)")
            #expect(refused.errors.contains("meno models fetch smollm2-135m"), "\(command): \(refused.errors)")
            #expect(refused.errors.contains("MENO_ASSUME_YES=1"), "\(command): \(refused.errors)")
        }
        // What the script writes is no model, and none of the script's output is taken for a result.
        let agreed = environment.merging(["MENO_ASSUME_YES": "1"]) { $1 }
        let fetched = try meno(commands[2], threads: 1, environment: agreed)
        #expect(fetched.status == 65 && fetched.output.isEmpty, "\(fetched)")
        #expect(
            fetched.errors.contains("fetching smollm2-135m") && fetched.errors.contains("GGUF"), "\(fetched.errors)")
        #expect(try meno("chat", "--model", "no-such-model", "--prompt", "a").errors.contains("smollm2-135m"))
    }

    @Test func anAdapterInAModelsPlaceIsNamed() throws {
        #expect(try tiny.train("max_steps: 1, eval_strategy: no, save_strategy: no").status == 0)
        let adapter = tiny.run.appending(path: "model").path
        for path in [adapter, tiny.run.path] {
            let advice = "--model \(tiny.model.path) --adapter \(adapter)"
            for command in [["chat", "--prompt", "a", "--model"], ["evaluate", "--data", tiny.data.path, "--model"]] {
                let refused = try meno(command + [path], threads: 1)
                #expect(refused.status == 65, "\(refused.errors)")
                #expect(refused.errors.contains("is an adapter for the model"), "\(refused.errors)")
                #expect(refused.errors.contains(advice), "\(refused.errors)")
            }
            let described = try meno("inspect", path)
            #expect(described.status == 0 && described.output.contains("rank           4, alpha 8.0"), "\(described)")
            #expect(described.output.contains(advice) && described.output.contains("q_proj"))
            #expect(described.output.contains("meno report") == (path == tiny.run.path))
        }
        let trained = try tiny.train("max_steps: 1", ["--overwrite", "--set", "model.name_or_path=\(adapter)"])
        #expect(trained.status == 65 && trained.errors.contains("lora.init_adapter"), "\(trained.errors)")
    }

    @Test func aFileOfAnotherKindIsToldWhatRecordsAre() throws {
        let file = { (name: String, text: String) in
            let url = tiny.folder.url.appending(path: name)
            try Data(text.utf8).write(to: url)
            return url.path
        }
        for (name, words) in [
            ("a.csv", "has none of the keys"), ("a.tsv", "has none of the keys"),
            ("a.parquet", "does not begin with PAR1"), ("a.jsonl.gz", "is not compressed that way"),
            ("a.xz", "Unpack it first"), ("a.md", "is no file of records"), ("a", "is no file of records"),
        ] {
            let refused = try meno("inspect", file(name, "x,y\n1,2\n"))
            #expect(refused.status == 65 && refused.errors.contains(words), "\(refused.errors)")
            #expect(!refused.errors.contains("gguf"), "\(refused.errors)")
        }
        #expect(try meno("inspect", file("a.txt", "x,y\n1,2\n")).output.contains("2 records: 2 used"))
        // What a file holds counts, not its name.
        #expect(try meno("inspect", file("a.data", #"{"text": "abc"}"#)).output.contains("1 records: 1 used"))
        #expect(try meno("inspect", file("a.gguf", "GGUX")).errors.contains("GGUF"))
    }

    @Test func lengthsAreCountedForAMaximum() throws {
        let lines = [
            #"{"prompt": "what is it", "completion": " a"}"#, #"{"prompt": "is", "completion": " it, not again"}"#,
        ]
        try Data((lines + [lines[0], #"{"text": "abc"}"#]).joined(separator: "\n").utf8).write(to: tiny.data)
        let result = try meno("inspect", tiny.data.path, "--model", tiny.model.path, "--max-length", "8")
        #expect(result.status == 0, "\(result.errors)")
        #expect(
            result.output.contains("max length     8: 1 whole, 1 cut at the end, 2 cut before the answer begins"),
            "\(result.output)")
        #expect(result.output.contains("repeated       1 examples equal an earlier one"))
        #expect(try meno("inspect", tiny.data.path, "--max-length", "8").status == 64)
    }

    @Test func aDemoThatIsRunAgainSaysWhatItReplaces() throws {
        let template = tiny.folder.url.appending(path: "own.jinja")
        try Data("{% for m in messages %}{{ m.content }}{% endfor %}".utf8).write(to: template)
        let lines = (0..<10).map {
            #"{"messages": [{"role": "user", "content": "what is \#($0)"}, {"role": "assistant", "content": "a"}]}"#
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: tiny.data)
        let settings = [
            "base_output_dir=\(tiny.run.path)", "model.name_or_path=\(tiny.model.path)", "data.path=\(tiny.data.path)",
            "data.chat_template=\(template.path)", "training.max_steps=1", "training.warmup_ratio=0",
            "data.max_length=32", "model.device=cpu",
        ]
        let demo = {
            try meno(
                ["demo"] + settings.flatMap { ["--set", $0] }, threads: 1,
                environment: ["MENO_ROOT": Fixtures.repository.path], redirection: "</dev/null")
        }
        let first = try demo()
        #expect(first.status == 0 && !first.errors.contains("earlier run"), "\(first.errors)")
        let second = try demo()
        #expect(second.status == 0, "\(second.errors)")
        let notice = try #require(second.errors.firstRange(of: "holds an earlier run"), "\(second.errors)")
        #expect(second.errors[notice.upperBound...].contains("trains again from scratch"))
        #expect(second.errors[notice.upperBound...].contains("loading"))
    }

    @Test func aFullContextEndsAnAnswerAndNotTheProgram() throws {
        let template = tiny.folder.url.appending(path: "own.jinja")
        try Data("{% for m in messages %}{{ m.content }}{% endfor %}".utf8).write(to: template)
        let chat = ["chat", "--model", tiny.model.path, "--chat-template", template.path, "--temperature", "0"]
        // The model's context holds 128 tokens, and no token ends an answer of a model that knows nothing.
        let full = try meno(chat + ["--prompt", String(repeating: "a", count: 100)], threads: 1)
        #expect(full.status == 0 && full.errors.contains("context of 128 tokens is full"), "\(full.errors)")
        #expect(full.output.hasSuffix("\n"))
        let long = try meno(chat + ["--prompt", String(repeating: "a", count: 128)], threads: 1)
        #expect(long.status == 65 && long.errors.contains("the prompt has 128 tokens"), "\(long.errors)")

        let lines = tiny.folder.url.appending(path: "lines")
        try Data("\(String(repeating: "b", count: 100))\n\(String(repeating: "c", count: 200))\nabc\n".utf8).write(
            to: lines)
        let talk = try meno(chat + ["--max-new-tokens", "20"], threads: 1, redirection: "<\(lines.path)")
        #expect(talk.status == 0, "\(talk.errors)")
        #expect(
            talk.errors.contains("too long: it has ") && talk.errors.contains("starting a new conversation"),
            "\(talk.errors)")
    }
}
