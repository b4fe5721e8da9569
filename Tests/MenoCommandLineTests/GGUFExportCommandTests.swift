import Foundation
import MenoTesting
import Testing

/// `meno export` into GGUF files, on a run of a tiny model whose tokenizer they can hold.
@Suite(.serialized) struct GGUFExportCommandTests {
    private let tiny: TinyModel
    private var adapter: String { tiny.run.appending(path: "model").path }
    private func out(_ name: String) -> URL { tiny.folder.url.appending(path: name) }
    private func names(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    init() throws { tiny = try TinyModel(forGGUF: true) }

    private func train(_ keys: String = "", lora: String? = nil, output: String? = nil) throws -> (
        status: Int32, output: String, errors: String
    ) {
        let training = "max_steps: 4, learning_rate: 1.0e-2" + (keys.isEmpty ? "" : ", \(keys)")
        return try lora.map { try tiny.train(training, lora: $0, output: output) }
            ?? tiny.train(training, output: output)
    }

    private func export(_ format: String, _ place: URL, _ more: [String] = []) throws -> (
        status: Int32, output: String, errors: String
    ) {
        try meno(
            ["export", "--model", tiny.model.path, "--adapter", adapter, "--format", format, "--to", place.path] + more,
            threads: 1)
    }

    private func loss(_ arguments: [String]) throws -> Double {
        let evaluated = try meno(
            ["evaluate", "--data", tiny.data.path, "--dtype", "float32", "--json"] + arguments, threads: 1)
        #expect(evaluated.status == 0, "\(evaluated.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [String: Any]
        return try #require(object?["loss"] as? Double)
    }

    /// Every form does what the adapter does: it is described, evaluated and asked.
    @Test func everyFormIsReadAgain() throws {
        #expect(try train().status == 0)
        let trained = try loss(["--model", tiny.model.path, "--adapter", adapter])
        let untrained = try loss(["--model", tiny.model.path])
        #expect(untrained - trained > 0.3)
        let forms: [(format: String, place: URL, more: [String], bound: Double)] = [
            ("gguf", out("f32.gguf"), ["--quantize", "F32"], 1e-5), ("gguf", out("f16.gguf"), [], 0.003),
            ("gguf", out("folder"), ["--quantize", "BF16", "--push-ready"], 0.02),
            ("gguf-lora", out("lora.gguf"), [], 1e-5),
            ("ollama", out("ollama"), ["--system", "Ask \"why\".\nTwice."], 0.003),
        ]
        for form in forms {
            let exported = try export(form.format, form.place, form.more)
            #expect(exported.status == 0 && exported.errors.contains("compared on 4 texts"), "\(exported.errors)")
            #expect(exported.output == form.place.path + "\n")
            var file = form.place
            if file.pathExtension != "gguf" {
                file.append(path: try #require(names(file).first { $0.hasSuffix(".gguf") }))
            }
            let isAdapter = form.format == "gguf-lora"
            let model = isAdapter ? ["--model", tiny.model.path, "--adapter", file.path] : ["--model", file.path]
            #expect(abs(try loss(model) - trained) < form.bound, "\(form)")
            let described = try meno("inspect", file.path)
            #expect(
                described.status == 0 && described.output.contains("gemma3"), "\(described.output)\(described.errors)")
            let asked = try meno(
                [
                    "chat", "--prompt", "what is it", "--chat-template", "gemma", "--temperature", "0",
                    "--max-new-tokens", "4",
                ]
                    + model, threads: 1)
            // The tiny tokenizer has no tokens of a turn.
            #expect(asked.status == 0 || asked.errors.contains("<start_of_turn>"), "\(asked.errors)")
        }
        #expect(try names(out("folder")).contains(".gitattributes"))
        let card = try String(contentsOf: out("folder/README.md"), encoding: .utf8)
        for part in [
            "---\nlibrary_name: gguf\npipeline_tag: text-generation\n", "SHA-256 of the training data",
            "| lora.r | 4 |",
            "| held-out loss |",
        ] { #expect(card.contains(part), "\(part)\n\(card)") }
        let modelfile = try String(contentsOf: out("ollama/Modelfile"), encoding: .utf8)
        #expect(modelfile.hasPrefix("FROM ./"), "\(modelfile)")
        // Trained on texts, it has no turns.
        #expect(modelfile.contains("TEMPLATE \"{{ .Prompt }}\""), "\(modelfile)")
        #expect(modelfile.contains("PARAMETER stop \"<eos>\""), "\(modelfile)")
        #expect(modelfile.contains("SYSTEM \"\"\"Ask \"why\".\nTwice.\"\"\""), "\(modelfile)")
        // Rows of 16 numbers hold no block of 32: the warning names llama.cpp's substitute.
        for type in ["Q8_0", "Q4_K_M"] {
            let place = out("\(type).gguf")
            let exported = try export("gguf", place, ["--quantize", type])
            #expect(exported.status == 0, "\(exported.errors)")
            #expect(exported.errors.contains("tensors are F16 instead of"), "\(exported.errors)")
            #expect(try loss(["--model", place.path]) - trained < 0.05)
        }
        #expect(try names(tiny.folder.url).allSatisfy { !$0.hasSuffix(".partial") })
    }

    /// The template trained with leaves in the file and in the Modelfile.
    @Test func theTemplateLeavesWithTheModel() throws {
        let template = out("own.jinja")
        try Data("{% for m in messages %}{{ m.content }}, {% endfor %}".utf8).write(to: template)
        let lines = (0..<10).map {
            #"{"messages": [{"role": "user", "content": "what is \#($0)"}, {"role": "assistant", "content": "a"}]}"#
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: tiny.data)
        let demo = try meno(
            ["demo", "--model", tiny.model.path, "--export", "gguf:Q8_0"]
                + [
                    "base_output_dir=\(tiny.run.path)", "data.path=\(tiny.data.path)",
                    "data.chat_template=\(template.path)", "training.max_steps=1", "training.warmup_ratio=0",
                    "data.max_length=32", "model.device=cpu",
                ].flatMap { ["--set", $0] }, threads: 1, environment: ["MENO_ROOT": Fixtures.repository.path],
            redirection: "</dev/null")
        #expect(demo.status == 0, "\(demo.errors)")
        #expect(demo.output.contains("the export           "), "\(demo.output)")
        let file = tiny.run.appending(path: "exports/gguf-Q8_0.gguf")
        #expect(demo.errors.contains("compared on"), "\(demo.errors)")
        let asked = try meno(
            ["chat", "--model", file.path, "--prompt", "what", "--temperature", "0", "--max-new-tokens", "3"],
            threads: 1)
        #expect(asked.status == 0, "\(asked.errors)")
        let ollama = try export("ollama", out("ollama"))
        #expect(ollama.status == 0, "\(ollama.errors)")
        let modelfile = try String(contentsOf: out("ollama/Modelfile"), encoding: .utf8)
        #expect(modelfile.contains("tokenizer.chat_template"), "\(modelfile)")
        #expect(String(decoding: try Data(contentsOf: file), as: UTF8.self).contains("{% for m in messages %}"))
    }

    @Test func aRunExportsEveryFormWhenItEnds() throws {
        let trained = try train("export_at_end: [gguf:F16, gguf-lora, ollama:BF16]")
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(try names(tiny.run.appending(path: "exports")) == ["gguf-F16.gguf", "gguf-lora.gguf", "ollama-BF16"])
    }

    /// What could not be exported in the end is refused in the beginning.
    @Test func aRunThatCouldNotExportIsNotTrained() throws {
        let dora = try train(
            "export_at_end: [gguf-lora]", lora: "{r: 4, use_dora: true, target_modules: all-linear}",
            output: out("a").path)
        #expect(dora.status == 65 && dora.errors.contains("DoRA"), "\(dora.errors)")
        let whole = try train("export_at_end: [gguf-lora]", lora: "null", output: out("b").path)
        #expect(whole.status == 65 && whole.errors.contains("every weight"), "\(whole.errors)")
        // A tokenizer of characters alone, which llama.cpp has not.
        let other = try TinyModel()
        let vocabulary = try other.train("max_steps: 1, export_at_end: [gguf]")
        #expect(vocabulary.status == 65 && vocabulary.errors.contains("llama.cpp"), "\(vocabulary.errors)")
        for place in [out("a"), out("b"), other.run] { #expect(!FileManager.default.fileExists(atPath: place.path)) }
    }

    @Test func whatDoesNotBelongTogetherIsRefused() throws {
        #expect(try train().status == 0)
        let place = out("x.gguf")
        let run = { (arguments: [String]) in
            try meno(["export", "--format", "gguf", "--to", place.path] + arguments, threads: 1)
        }
        let llama = out("llama")
        try FileManager.default.copyItem(at: Fixtures.url("models/llama-tiny"), to: llama)
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(at: tiny.model.appending(path: name), to: llama.appending(path: name))
        }
        let other = try run(["--model", llama.path, "--adapter", adapter])
        #expect(other.status == 65 && other.errors.contains("another model"), "\(other.errors)")
        let absent = try run(["--model", out("nowhere").path, "--adapter", adapter])
        #expect(absent.status == 66, "\(absent.errors)")
        try Data("precious".utf8).write(to: place)
        let there = try run(["--model", tiny.model.path, "--adapter", adapter])
        #expect(there.status == 65 && there.errors.contains("already exists"), "\(there.errors)")
        #expect(try Data(contentsOf: place) == Data("precious".utf8))
        #expect(try names(tiny.folder.url).allSatisfy { !$0.hasSuffix(".partial") })
    }

    @Test(
        .enabled(if: MountedDisk.isPossible, "no file system can be mounted here"),
        arguments: ["gguf", "gguf-lora", "ollama"])
    func aFullDiskLeavesNothing(_ format: String) throws {
        #expect(try train().status == 0)
        let disk = try MountedDisk(out("disk"), kibibytes: 8)
        let place = disk.url.appending(path: format == "ollama" ? "made" : "made.gguf")
        let full = try export(format, place)
        #expect(full.status != 0 && full.errors.contains("No space left"), "\(full.errors)")
        #expect(try names(disk.url).isEmpty)
    }
}
