import Foundation
import HubServer
import MenoHub
import MenoTesting
import Testing

/// Models by their Hugging Face id, in every command that takes one.
@Suite struct HubCommandTests {
    private let tiny: TinyModel
    private let server: HubServer
    private var repository: ServedRepository
    private let files: [String: Data]
    private let id = "some-org/tiny"

    init() throws {
        tiny = try TinyModel()
        files = try ServedRepository.files(in: tiny.model)
        repository = ServedRepository(id, files)
        server = try HubServer(repository)
    }

    private var cache: URL { tiny.folder.url.appending(path: "hub") }
    private var commit: String { repository.refs["main"] ?? "" }
    private var folder: URL { cache.appending(path: "models--some-org--tiny") }
    private var weightsPath: String { "/xorbs/" + ServedRepository.sha256(files["model.safetensors"] ?? Data()) }
    private var environment: [String: String] {
        ["HF_ENDPOINT": server.endpoint, "HF_HOME": tiny.folder.url.path, "HF_TOKEN": "", "HF_HUB_CACHE": ""]
    }

    private func run(
        _ arguments: String..., environment more: [String: String] = [:], onLine: ((Substring) -> Void)? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        try meno(arguments, threads: 1, environment: environment.merging(more) { $1 }, onLine: onLine)
    }

    @Test func everyCommandTakesAnId() throws {
        let shown = try run("inspect", id)
        #expect(shown.status == 0 && shown.output.contains("commit \(commit)"), "\(shown)")
        #expect(shown.output.contains("file           model.safetensors") && shown.output.contains("are free"))
        #expect(!FileManager.default.fileExists(atPath: cache.path), "inspecting writes nothing")

        let tokens = try run("tokenize", "--model", id, "--text", "what is it", "--json")
        #expect(tokens.status == 0 && tokens.output.contains("\"ids\""), "\(tokens)")
        #expect(
            tokens.output == (try run("tokenize", "--model", tiny.model.path, "--text", "what is it", "--json")).output)
        #expect(server.takeRequests().allSatisfy { !$0.path.contains(weightsPath) }, "a tokenizer needs no weights")

        let evaluated = try run("evaluate", "--model", id, "--data", tiny.data.path)
        #expect(evaluated.status == 0, "\(evaluated)")
        #expect(evaluated.errors.contains("downloading \(id): ") && evaluated.errors.contains("free)"))
        #expect(server.takeRequests().contains { $0.path.contains(weightsPath) })

        // From now on nothing is asked of a network.
        let offline = ["HF_HUB_OFFLINE": "1"]
        #expect(try run("inspect", id, environment: offline).output.contains("architecture"))
        #expect(try run("inspect", tiny.data.path, "--model", id, environment: offline).status == 0)
        let template = tiny.folder.url.appending(path: "own.jinja")
        try Data("{% for m in messages %}{{ m.content }}{% endfor %}".utf8).write(to: template)
        #expect(try run("chat", "--model", id, "--prompt", "a", "--chat-template", template.path).status == 0)
        try tiny.write("max_steps: 1")
        let plan = try run("plan", tiny.file.path, "--set", "model.name_or_path=\(id)", environment: offline)
        #expect(plan.status == 0 && plan.output.contains("It fits."), "\(plan)")
        let target = tiny.folder.url.appending(path: "exported")
        let exported = try run(
            "export", "--model", "\(id)@main", "--to", target.path, "--no-verify", environment: offline)
        #expect(exported.status == 0, "\(exported)")
        let card = try String(contentsOf: target.appending(path: "README.md"), encoding: .utf8)
        #expect(card.contains("base_model: \(id)\n"))
        #expect(server.takeRequests().isEmpty)
        let doctor = try run("doctor", environment: offline)
        #expect(
            doctor.output.contains("offline by HF_HUB_OFFLINE") && doctor.output.contains("\(cache.path), 1 models"))
    }

    @Test func datasetsByTheirIds() throws {
        let lines = try String(contentsOf: tiny.data, encoding: .utf8).split(separator: "\n")
        let text = { (lines: ArraySlice<Substring>) in Data((lines.joined(separator: "\n") + "\n").utf8) }
        var dataset = ServedRepository(
            "some-org/sums",
            [
                "README.md": Data("sums".utf8), "data/train.jsonl": text(lines[..<30]),
                "data/test.jsonl": text(lines[30...]),
            ])
        dataset.isDataset = true
        server.set(dataset)
        // No model has this id.
        for arguments in [["some-org/sums"], ["some-org/sums", "--dataset"], ["datasets/some-org/sums"]] {
            let shown = try meno(["inspect"] + arguments, environment: environment)
            #expect(shown.status == 0 && shown.output.contains("dataset        some-org/sums, commit "), "\(shown)")
            #expect(shown.output.contains("file           data/train.jsonl") && shown.output.contains("are free"))
            #expect(shown.output.contains("`meno models fetch datasets/some-org/sums`"))
        }
        #expect(!FileManager.default.fileExists(atPath: cache.path), "inspecting writes nothing")
        let none = try run("inspect", "some-org/none")
        #expect(none.status == 66 && none.errors.contains("some-org/none"), "\(none)")
        #expect(try run("inspect", id, "--dataset").status == 66, "a model is no dataset")

        let fetched = try run("models", "fetch", "datasets/some-org/sums")
        #expect(fetched.status == 0 && fetched.output.contains("/datasets--some-org--sums/snapshots/"), "\(fetched)")
        let offline = ["HF_HUB_OFFLINE": "1"]
        for id in ["some-org/sums", "datasets/some-org/sums"] {
            let shown = try run("inspect", id, environment: offline)
            #expect(shown.output.contains("30 records: 30 used"), "\(shown)")
        }
        let test = try run("inspect", "datasets/some-org/sums:data/test.jsonl", environment: offline)
        #expect(test.output.contains("10 records: 10 used"), "\(test)")

        // Trained on by its id, as on the same file.
        let adapter = tiny.run.appending(path: "model/adapter_model.safetensors")
        try tiny.write("max_steps: 3, eval_strategy: steps, eval_steps: 3")
        let common = ["train", tiny.file.path, "--set", "data.train_fraction=1"]
        let byID = try meno(
            common + ["--set", "data.path=some-org/sums", "--set", "data.eval_path=some-org/sums"], threads: 1,
            environment: environment.merging(offline) { $1 })
        #expect(byID.status == 0, "\(byID.errors)")
        let expected = try Data(contentsOf: adapter)
        let file = tiny.folder.url.appending(path: "train.jsonl")
        try text(lines[..<30]).write(to: file)
        try FileManager.default.removeItem(at: tiny.run)
        let byPath = try meno(
            common + ["--set", "data.path=\(file.path)", "--set", "data.eval_path=\(file.path)"], threads: 1)
        #expect(byPath.status == 0, "\(byPath.errors)")
        #expect(try Data(contentsOf: adapter) == expected)
        // Its split for tests evaluates; the tiny corpus repeats its lines.
        #expect(
            byID.errors.contains("10 of 10 examples of `data.eval_path` are also in the training data"),
            "\(byID.errors)")
        #expect(byPath.errors.contains("30 of 30 examples of `data.eval_path` are also in the training data"))
    }

    @Test func ggufFilesAndAdaptersByTheirIds() throws {
        let gguf = try Data(contentsOf: Fixtures.url("models/arcee-tiny/model.gguf"))
        server.set(ServedRepository("some-org/quants", ["t-F32.gguf": gguf, "t-Q8_0.gguf": Data("none".utf8)]))
        let fetched = try run("models", "fetch", "some-org/quants:F32")
        #expect(fetched.status == 0 && fetched.output.hasSuffix("/t-F32.gguf\n"), "\(fetched)")
        let offline = ["HF_HUB_OFFLINE": "1"]
        let shown = try run("inspect", "some-org/quants:F32", environment: offline)
        #expect(shown.status == 0 && shown.output.contains("architecture   arcee"), "\(shown)")
        #expect(try run("inspect", "some-org/quants").errors.contains("t-Q8_0.gguf"))

        let folder = tiny.model.appending(path: "adapter")
        server.set(ServedRepository("some-org/adapter", try ServedRepository.files(in: folder)))
        let evaluate = ["evaluate", "--model", tiny.model.path, "--data", tiny.data.path, "--adapter"]
        let byID = try meno(evaluate + ["some-org/adapter"], threads: 1, environment: environment)
        let byPath = try meno(evaluate + [folder.path], threads: 1)
        #expect(byID.status == 0 && byID.output.prefix(60) == byPath.output.prefix(60), "\(byID)")
        let misplaced = try run("chat", "--model", "some-org/adapter", "--prompt", "a")
        #expect(misplaced.status == 65 && misplaced.errors.contains("--adapter some-org/adapter)"), "\(misplaced)")
    }

    @Test mutating func aRunKeepsTheCommitThatItBeganWith() throws {
        try tiny.write("max_steps: 4, save_steps: 2, eval_strategy: \"no\"")
        let train = ["train", tiny.file.path, "--set", "model.name_or_path=\(id)"]
        let first = try meno(train, threads: 1, environment: environment)
        #expect(first.status == 0, "\(first.errors)")
        let configuration = try String(contentsOf: tiny.run.appending(path: "run.yaml"), encoding: .utf8)
        #expect(configuration.contains("name_or_path: \"\(id)@\(commit)\"\n"), "\(configuration)")
        let settings = try Data(contentsOf: tiny.run.appending(path: "model/adapter_config.json"))
        let adapter = try #require(try JSONSerialization.jsonObject(with: settings) as? [String: Any])
        #expect(adapter["base_model_name_or_path"] as? String == id && adapter["revision"] as? String == commit)

        // The branch goes on, and somebody downloads it.
        var newer = files
        newer["config.json"] = Data(#"{"model_type": "unknown"}"#.utf8)
        repository.add(newer)
        server.set(repository)
        let renewed = try run("models", "fetch", id)
        #expect(renewed.status == 65 && renewed.errors.contains("unknown"), "\(renewed)")
        _ = server.takeRequests()
        for arguments in [train, ["train", tiny.run.appending(path: "run.yaml").path]] {
            let checkpoint = tiny.run.appending(path: "model/checkpoint-2").path
            let resumed = try meno(arguments + ["--resume", checkpoint], threads: 1, environment: environment)
            #expect(resumed.status == 0 && resumed.errors.contains("step 4/4"), "\(resumed.errors)")
            #expect(!resumed.errors.contains("warning"), "\(resumed.errors)")
        }
        #expect(server.takeRequests().isEmpty)
        // Another revision is another model.
        let other = try meno(
            ["train", tiny.file.path, "--set", "model.name_or_path=\(id)@\(commit.prefix(12))", "--resume", "auto"],
            threads: 1, environment: environment)
        #expect(other.status != 0, "\(other.errors)")
    }

    @Test func aFolderWinsOverAnId() throws {
        let place = tiny.folder.url.appending(path: id)
        try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: tiny.model, to: place)
        let result = try meno(
            ["inspect", id], environment: environment, folder: tiny.folder.url)
        #expect(result.status == 0 && result.output.contains("architecture"), "\(result)")
        #expect(server.takeRequests().isEmpty)
    }

    @Test func modelsAreFetchedListedAndRemoved() throws {
        let fetched = try run("models", "fetch", id)
        let snapshot = folder.appending(path: "snapshots/\(commit)").path
        #expect(fetched.status == 0 && fetched.output == snapshot + "\n", "\(fetched)")
        let listed = try run("models", "list")
        #expect(listed.output.contains("\(id)\t") && listed.output.contains("\(commit) (main)"), "\(listed.output)")
        #expect(listed.output.contains("smollm2-135m\t"))
        let unasked = try meno(["models", "rm", id], environment: environment, redirection: "</dev/null")
        #expect(unasked.status == 65 && unasked.errors.contains("--yes"))
        #expect(try run("models", "rm", "\(id)@v2", "--yes").status == 66)
        let removed = try run("models", "rm", id, "--yes")
        #expect(removed.status == 0 && removed.output.hasSuffix("freed\n"), "\(removed)")
        #expect(!FileManager.default.fileExists(atPath: folder.path))
        #expect(try run("models", "rm", id, "--yes").status == 66)
    }

    @Test func whatGoesWrongIsToldWithItsStatus() throws {
        let missing = try run("chat", "--model", "some-org/other", "--prompt", "a")
        #expect(missing.status == 66 && missing.errors.contains("some-org/other: is not a file or folder here"))
        let offline = try run("inspect", id, environment: ["HF_HUB_OFFLINE": "1"])
        #expect(offline.status == 66 && offline.errors.contains("HF_HUB_OFFLINE"), "\(offline)")
        let endpoint = try run("inspect", id, environment: ["HF_ENDPOINT": "mirror"])
        #expect(endpoint.status == 65 && endpoint.errors.contains("HF_ENDPOINT"), "\(endpoint)")
        let file = try run("inspect", "\(id):Q4_K_M")
        #expect(file.status == 65 && file.errors.contains("no .gguf file"), "\(file)")
        let unreachable = try run(
            "inspect", id, environment: ["HF_ENDPOINT": "https://localhost:9", "HF_HUB_ETAG_TIMEOUT": "1"])
        #expect(unreachable.status == 1 && unreachable.errors.contains("\(id): is neither"), "\(unreachable)")
        // A token is in no message, and in no file.
        server.trouble(.status(403, ["X-Error-Message": "hf_tokenOfMine may not"]), "/api/models/")
        let refused = try run("models", "fetch", id, environment: ["HF_TOKEN": "hf_tokenOfMine"])
        #expect(refused.status == 66 && !refused.errors.contains("OfMine"), "\(refused)")
    }

    @Test func aReleaseTakesNamedModelsFromTheHub() throws {
        // A release has examples and no scripts.
        let root = tiny.folder.url.appending(path: "release/share/meno")
        let cache = tiny.folder.url.appending(path: "cache").path
        let release = ["MENO_ROOT": root.path, "MENO_CACHE": cache]
        let examples = root.appending(path: "Examples")
        try FileManager.default.createDirectory(at: examples, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Fixtures.repository.appending(path: "Examples/demo.yaml"), to: examples.appending(path: "demo.yaml"))
        let evaluate = ["evaluate", "--model", "smollm2-135m", "--data", tiny.data.path]
        let refused = try meno(
            evaluate, threads: 1, environment: environment.merging(release) { $1 }, redirection: "</dev/null")
        #expect(refused.status == 66, "\(refused)")
        #expect(refused.errors.contains("HuggingFaceTB/SmolLM2-135M-Instruct"), "\(refused.errors)")

        server.set(ServedRepository("HuggingFaceTB/SmolLM2-135M-Instruct", files))
        let fetched = try run("models", "fetch", "smollm2-135m", environment: release)
        #expect(fetched.status == 0, "\(fetched)")
        #expect(fetched.output.contains("/models--HuggingFaceTB--SmolLM2-135M-Instruct/snapshots/"))
        _ = server.takeRequests()
        let named = try meno(evaluate, threads: 1, environment: environment.merging(release) { $1 })
        let direct = try meno(["evaluate", "--model", tiny.model.path, "--data", tiny.data.path], threads: 1)
        #expect(named.status == 0 && named.output.prefix(60) == direct.output.prefix(60), "\(named)")
        #expect(server.takeRequests().isEmpty)
        let removed = try run("models", "rm", "smollm2-135m", "--yes", environment: release)
        #expect(removed.status == 0 && removed.output.hasSuffix("freed\n"), "\(removed)")
        // Without Gemma, which needs an account, the demo takes the other model.
        let demo = try meno(
            ["demo"], threads: 1,
            environment: environment.merging(release) { $1 }.merging(["HF_HUB_OFFLINE": "1"]) { $1 },
            redirection: "</dev/null", folder: tiny.folder.url)
        #expect(demo.status == 66 && demo.errors.contains("using smollm2-135m instead"), "\(demo)")
    }

    @Test func aKilledDownloadIsResumed() throws {
        server.trouble(.slow(30_000), weightsPath, times: 1)
        let process = Process()
        process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "meno")
        process.arguments = ["models", "fetch", id]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardError = FileHandle.nullDevice
        try process.run()
        let etag = ServedRepository.sha256(try #require(files["model.safetensors"]))
        let partial = folder.appending(path: "blobs/\(etag).incomplete")
        let size = { (try? FileManager.default.attributesOfItem(atPath: partial.path))?[.size] as? Int ?? 0 }
        for _ in 0..<500 where size() < 10_000 { usleep(20_000) }
        let before = size()
        #expect(before >= 10_000)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        _ = server.takeRequests()
        let again = try run("models", "fetch", id)
        #expect(again.status == 0, "\(again)")
        let ranges = server.takeRequests().filter { $0.path.contains(weightsPath) }.map(\.range)
        #expect(ranges.count == 1 && ranges[0].map { $0 != "bytes=0-" } == true, "\(ranges)")
        let data = try Data(contentsOf: folder.appending(path: "snapshots/\(commit)/model.safetensors"))
        #expect(data == files["model.safetensors"])
    }

    @Test(.enabled(if: MountedDisk.isPossible, "no file system can be mounted here"))
    func aFullDiskLosesNothing() throws {
        let disk = try MountedDisk(tiny.folder.url.appending(path: "disk"), kibibytes: 2000)
        let place = ["HF_HUB_CACHE": disk.url.appending(path: "hub").path]
        // Somebody else takes all that is left while it is downloaded.
        server.trouble(.slow(30_000), weightsPath, times: 1)
        let full = try run("models", "fetch", id, environment: place) { line in
            if line.contains("downloading") { disk.fill() }
        }
        #expect(full.status == 1 && full.errors.contains("disk is full"), "\(full)")
        // Said before anything is downloaded, where that is known.
        let foreseen = try run("models", "fetch", id, environment: place)
        #expect(foreseen.status == 1 && foreseen.errors.contains("remain to be downloaded"), "\(foreseen)")
        disk.clear()
        #expect(try run("models", "fetch", id, environment: place).status == 0)
    }
}
