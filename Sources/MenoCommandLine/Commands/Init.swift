import ArgumentParser
import Foundation
import Meno
import MenoErrors
import MenoConfiguration
import MenoFormats

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Asks five questions and writes a RUN.yaml with comments.",
        discussion: """
            The suggested answers are based on the data and the model. Press Enter to accept one. With --yes, or without a terminal, \
            all suggestions are accepted; options answer single questions. Nothing is downloaded.
            """)

    @Argument(help: "The file to write.", completion: .file(extensions: ["yaml", "yml"])) var file = "run.yaml"
    @Option(help: "A Hugging Face folder, a .gguf file, a Hugging Face id, or a name from `meno models list`.")
    var model: String?
    @Option(help: "A .json or .jsonl file of records.", completion: .file(extensions: ["json", "jsonl"]))
    var data: String?
    @Option(
        help: "lora, qlora (weights in four bits), full (all weights), dpo, orpo or kto.",
        completion: .list(RunProposal.Method.allCases.map(\.rawValue)))
    var method: String?
    @Option(help: "The number of training epochs.") var epochs: Double?
    @Option(help: "The folder for the output of the run.", completion: .directory) var output: String?
    @Flag(help: "Do not ask; accept all defaults.") var yes = false
    @Flag(help: "Replace an existing file.") var overwrite = false

    func validate() throws {
        guard epochs.map({ $0 > 0 && $0.isFinite }) ?? true else { throw ValidationError("--epochs must be above 0.") }
        if let method, RunProposal.Method(rawValue: method) == nil {
            throw ValidationError("--method must be one of \(RunProposal.Method.names).")
        }
    }

    /// Whether there is a terminal to ask questions on.
    private var asks: Bool { !yes && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    func run() throws {
        try reportingErrors {
            guard overwrite || !FileManager.default.fileExists(atPath: file) else {
                throw ConfigurationError(
                    .invalid, at: file, "already exists.", advice: "Choose another name, or replace it.",
                    settings: [.overwrites])
            }
            let proposal = try proposal()
            let yaml = proposal.yaml
            // The proposal must be a valid run.
            _ = try RunConfiguration.read(yaml: yaml, name: file)
            do {
                try WholeFile.write(Data(yaml.utf8), to: URL(filePath: file))
            } catch {
                throw ConfigurationError(.invalid, at: file, "cannot be written (\(error.localizedDescription)).")
            }
            let name = file.contains(" ") ? "'\(file)'" : file
            print("Wrote \(file): \(proposal.steps) steps of \(proposal.method.rawValue).")
            print("meno plan \(name)    forecasts memory and time")
            print("meno train \(name)   trains")
        }
    }

    private func proposal() throws -> RunProposal {
        let log = ConsoleLog()
        let model = try answer(
            self.model, "Which model? A name, a Hugging Face id, a folder or a .gguf file",
            default: CatalogModel.all.first { $0.isFetched }?.name ?? "smollm2-135m"
        ) { try ModelLook($0, log: log) }
        log.note("  \(model.text)")
        let files = DataLook.candidates(in: ".")
        if data == nil, !asks, files.count != 1 {
            let found =
                files.isEmpty
                ? "there is no .jsonl or .json file here"
                : "there are several: \(files.prefix(5).joined(separator: ", "))"
            throw ConfigurationError(.invalid, at: "data", "is not given, and \(found).", settings: [.dataPath: "FILE"])
        }
        var path = ""
        let look = try answer(self.data, "Which data? A .json or .jsonl file of records", default: files.first ?? "") {
            path = $0
            return try DataLook($0, model)
        }
        log.note("  \(look.summary): \(look.text)")
        let proposed = RunProposal.Method.proposed(model, look)
        if asks, self.method == nil {
            for method in RunProposal.Method.allCases where method.objection(model, look) == nil {
                log.note("  \(method.rawValue.padding(toLength: 6, withPad: " ", startingAt: 0)) \(method.meaning)")
            }
        }
        let method = try answer(self.method, "Which method?", default: proposed.rawValue) { text in
            guard let method = RunProposal.Method(rawValue: text) else {
                throw ConfigurationError(.invalid, at: text, "is not one of \(RunProposal.Method.names).")
            }
            if let objection = method.objection(model, look) {
                throw ConfigurationError(.invalid, at: text, "\(objection).")
            }
            return method
        }
        let passes = RunProposal.proposedEpochs(look, method)
        let epochs = try answer(
            self.epochs.map { "\($0)" }, "How many epochs (passes over the data)?", default: "\(Int(passes))"
        ) { text in
            guard let value = Double(text), value > 0, value <= 1000 else {
                throw ConfigurationError(.invalid, at: text, "is not a number above 0, up to 1000.")
            }
            return value
        }
        let stem = URL(filePath: path).deletingPathExtension().lastPathComponent
        let output = try answer(self.output, "Where should the run be written?", default: "runs/\(stem)") { $0 }
        var proposal = RunProposal(
            model: model, data: look, dataPath: path, method: method, epochs: epochs, output: output)
        proposal.file = file
        return proposal
    }

    /// The answer to a question: the option, or else input repeated until it is valid, or the default.
    private func answer<Value>(
        _ given: String?, _ question: String, default proposed: String, _ read: (String) throws -> Value
    ) throws -> Value {
        if let given { return try read(given) }
        guard asks else { return try read(proposed) }
        while true {
            Console.ask("\(question)\(proposed.isEmpty ? "" : " [\(proposed)]"): ")
            guard let line = readLine() else { throw ExitCode(Status.interrupted) }
            let text = line.trimmingCharacters(in: .whitespaces)
            guard !text.isEmpty || !proposed.isEmpty else { continue }
            do {
                return try read(text.isEmpty ? proposed : text)
            } catch let error as any MenoError {
                Console.note("  \(error)")
            }
        }
    }
}

extension RunProposal.Method {
    fileprivate static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
