import ArgumentParser
import Foundation
import Meno
import MenoConfiguration
import MenoTensor

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fine-tunes a model with the settings of a RUN.yaml.",
        discussion:
            "`meno keys` describes every key. Ctrl-C ends the run after the current step and saves a checkpoint to resume from."
    )

    @Argument(help: "The configuration, a RUN.yaml.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Option(
        name: .customLong("set"), help: ArgumentHelp("Overrides a key. Can be repeated.", valueName: "key.path=value"))
    var overrides: [String] = []
    @Option(help: "The total number of optimizer steps.") var maxSteps: Int?
    @Flag(help: "Replace an existing run in the same folder.") var overwrite = false
    @Option(
        help: ArgumentHelp(
            "Resume from a checkpoint. auto uses the newest complete one, or starts a new run.", valueName: "auto|DIR"),
        completion: .directory)
    var resume: String?
    @Flag(help: "Resume even if settings that change the result differ from the checkpoint.")
    var allowChanges = false
    @Option(help: "The number of processes that train together on this machine.") var processes = 1
    @OptionGroup var logging: ConsoleLogOptions

    func validate() throws {
        guard !overwrite || resume == nil else {
            throw ValidationError(
                "--overwrite starts from scratch and --resume continues a run: give only one of them.")
        }
        guard (1...256).contains(processes) else {
            throw ValidationError("--processes is \(processes); expected from 1 to 256.")
        }
    }

    func run() throws {
        try reportingErrors(logging.log) {
            guard processes == 1 else { return try TrainingProcesses.start(processes, logging.log) }
            try TrainingProcesses.run(logging.log, train)
        }
    }

    private func train(_ processes: ProcessGroup) throws {
        let steps = maxSteps.map { ["training.max_steps=\($0)"] } ?? []
        let configuration = try RunConfiguration.read(URL(filePath: file), overrides: overrides + steps)
        let resumption: FineTuning.Resumption =
            resume.map { $0 == "auto" ? .newest : .from(URL(filePath: $0)) } ?? .none
        Interruption.outliveReaders()
        let session = try TrainingSession(
            configuration, overwrites: overwrite, resumption: resumption, allowsChanges: allowChanges,
            log: logging.log, processes: processes, shouldStop: { Interruption.isRequested })
        // Not earlier: while the model is loading there is nothing to save, and Ctrl-C should end the process at
        // once.
        Interruption.install()
        guard try session.run().reason != .interrupted else {
            if processes.isFirst { logging.log.note("resume it with `meno train … --resume auto`") }
            throw ExitCode(Status.interrupted)
        }
    }
}
