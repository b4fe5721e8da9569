import Foundation
import MenoTesting
import Testing

/// `meno export` as its users run it, on a run of the tiny model.
@Suite(.serialized) struct ExportCommandTests {
    private let tiny: TinyModel
    private var adapter: String { tiny.run.appending(path: "model").path }
    private func out(_ name: String) -> URL { tiny.folder.url.appending(path: name) }

    init() throws {
        tiny = try TinyModel()
        let trained = try tiny.train("max_steps: 4, learning_rate: 1.0e-2")
        #expect(trained.status == 0, "\(trained.errors)")
    }

    @Test func aMergedFolderIsComparedAndEvaluatesAsTheAdapterDoes() throws {
        let folder = out("merged")
        let export = ["export", "--model", tiny.model.path, "--adapter", adapter, "--to", folder.path]
        let exported = try meno(export + ["--dtype", "float32", "--push-ready"], threads: 1)
        #expect(exported.status == 0, "\(exported.errors)")
        #expect(exported.errors.contains("compared on 4 texts"), "\(exported.errors)")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        for name in [
            "model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "README.md",
            ".gitattributes",
        ] {
            #expect(files.contains(name), "\(name)")
        }
        let card = try String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8)
        #expect(card.contains("SHA-256 of the training data") && card.contains("lora.r"), "\(card)")
        let loss = { (arguments: [String]) throws -> String in
            let evaluated = try meno(
                ["evaluate", "--data", tiny.data.path, "--dtype", "float32"] + arguments, threads: 1)
            #expect(evaluated.status == 0, "\(evaluated.errors)")
            return evaluated.output.split(separator: "\n").first.map(String.init) ?? ""
        }
        let adapted = try loss(["--model", tiny.model.path, "--adapter", adapter])
        #expect(try loss(["--model", folder.path]).dropLast() == adapted.dropLast())
        // What is there stays.
        let again = try meno(export)
        #expect(again.status == 65 && again.errors.contains("already exists"), "\(again.errors)")
        #expect(try meno("inspect", folder.path).status == 0)
    }

    @Test func whatCannotLeaveSaysWhy() throws {
        let run = { (arguments: [String]) in
            try meno(["export", "--model", tiny.model.path, "--adapter", adapter] + arguments, threads: 1)
        }
        // The tiny tokenizer has characters and no bytes.
        let vocabulary = try run(["--format", "gguf", "--to", out("a.gguf").path])
        #expect(vocabulary.status == 65 && vocabulary.errors.contains("safetensors"), "\(vocabulary.errors)")
        let options = try run(["--quantize", "Q8_0", "--to", out("b").path])
        #expect(options.status == 64, "\(options.errors)")
        let missing = try meno(
            "export", "--model", tiny.model.path, "--adapter", out("absent").path, "--to", out("c").path)
        #expect(missing.status == 66, "\(missing.errors)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: tiny.folder.url.path).allSatisfy {
                !$0.hasSuffix(".partial")
            })
    }

    @Test(.enabled(if: MountedDisk.isPossible, "no file system can be mounted here"))
    func aFullDiskLeavesNothing() throws {
        let disk = try MountedDisk(out("disk"), kibibytes: 24)
        let full = try meno([
            "export", "--model", tiny.model.path, "--adapter", adapter, "--dtype", "float32", "--to",
            disk.url.path + "/merged",
        ])
        #expect(full.status != 0 && full.errors.contains("No space left"), "\(full.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.url.path).isEmpty)
    }

    @Test func aRunExportsWhenItEnds() throws {
        let trained = try tiny.train(
            "max_steps: 2, learning_rate: 1.0e-2, export_at_end: [safetensors]", output: out("second").path)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(FileManager.default.fileExists(atPath: out("second/exports/safetensors/model.safetensors").path))
        let unknown = try tiny.train("max_steps: 2, export_at_end: [onnx]", output: out("third").path)
        #expect(unknown.status == 65 && unknown.errors.contains("onnx"), "\(unknown.errors)")
        #expect(!FileManager.default.fileExists(atPath: out("third").path))
    }
}
