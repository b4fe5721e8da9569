import Foundation
import MenoConfiguration
import MenoMetrics
import MenoModels
import MenoReporting
import MenoTokenizers
import MenoTraining

/// The folders of a run that is to begin or to go on.
struct RunFolders {
    let layout: RunLayout
    var base: URL { layout.base }
    var model: URL { layout.model }
    var progress: URL { layout.progress }

    private let overwrites: Bool
    private let resumes: Bool

    /// - Throws: as ``check()``.
    init(_ path: String, overwrites: Bool, resumes: Bool) throws {
        layout = RunLayout(URL(filePath: path))
        self.overwrites = overwrites
        self.resumes = resumes
        try check()
    }

    /// - Throws: ``ConfigurationError`` where there can be no folder, or a run is there that is neither to be overwritten nor
    ///   gone on with.
    func check() throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: base.path, isDirectory: &isFolder), !isFolder.boolValue {
            throw ConfigurationError(
                place: base.path, "is a file.", advice: "`base_output_dir` must be a folder; it need not be there yet.")
        }
        let newest = CheckpointStore(model).progress
        let result = Self.weights.map { model.appending(path: $0) }.first {
            FileManager.default.fileExists(atPath: $0.path)
        }
        if let result, newest == nil, !isOfARun {
            throw ConfigurationError(
                place: result.path,
                "is there, and no run left it: neither a run.yaml nor a record of one is in \(base.path).",
                advice: "Choose another `base_output_dir`: the result of this run would replace it.")
        }
        guard !overwrites, !resumes else { return }
        let hasResult = result != nil
        guard newest != nil || hasResult else { return }
        let steps = newest.map { newest in " (step \(newest.step)\(newest.total.map { " of \($0)" } ?? ""))" } ?? ""
        let isUnfinished = newest.map { newest in newest.total.map { newest.step < $0 } ?? true } ?? false
        guard hasResult, !isUnfinished else {
            throw ConfigurationError(
                place: model.path, "an unfinished run is here already\(steps).",
                advice: "Go on with --resume auto, start anew with --overwrite, or choose another `base_output_dir`.")
        }
        let longer =
            newest == nil
            ? "Start"
            : "Train longer with a higher `training.num_train_epochs` (or `max_steps`), --resume auto and --allow-changes; start"
        throw ConfigurationError(
            place: model.path, "a run has been finished here already\(steps).",
            advice: "\(longer) anew with --overwrite, or choose another `base_output_dir`.")
    }

    private var isOfARun: Bool {
        FileManager.default.fileExists(atPath: layout.configuration.path)
            || RunRecord.recording(in: base) != nil
    }

    /// Removes what an earlier run left: its result, and what was told of it; checkpoints where they are to be overwritten, as
    /// what else has such a name is nobody's to remove. Logs stay.
    /// - Parameter inputs: what the new run begins with: where that is this result, it stays until there is another.
    func clear(keeping inputs: [URL]) throws {
        let kept = inputs.map { $0.resolvingSymlinksInPath().path }
        var old = oldCheckpoints
        if !kept.contains(model.resolvingSymlinksInPath().path) {
            old += Self.results.map { model.appending(path: $0) }
        }
        old += Self.contents(of: progress).filter { RunLayout.isRecord($0.lastPathComponent) }
        for url in old where FileManager.default.fileExists(atPath: url.path) {
            do {
                try FileManager.default.removeItem(at: url)
            } catch {
                throw ConfigurationError(
                    place: url.path, "is of an earlier run and cannot be removed (\(error.localizedDescription)).",
                    advice: "Remove it by hand, or choose another `base_output_dir`.")
            }
        }
    }

    /// - Throws: ``ConfigurationError`` where what a new run begins with is, or lies in, a checkpoint that it overwrites.
    func requireOutside(_ inputs: [URL]) throws {
        let paths = oldCheckpoints.map { $0.resolvingSymlinksInPath().path }
        for input in inputs.map({ $0.resolvingSymlinksInPath().path })
        where paths.contains(where: { input == $0 || input.hasPrefix($0 + "/") }) {
            throw ConfigurationError(
                place: input, "is a checkpoint of the run that is to be overwritten, and what the new one begins with.",
                advice: "Copy it elsewhere first, or choose another `base_output_dir`.")
        }
    }

    private var oldCheckpoints: [URL] {
        overwrites ? Self.contents(of: model).filter { RunLayout.isCheckpoint($0.lastPathComponent) } : []
    }

    private static let weights = [LoRAFiles.weightsName, "model.safetensors"]
    private static let results = weights + [LoRAFiles.configurationName] + TokenizerFiles.names

    private static func contents(of folder: URL) -> [URL] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).map { folder.appending(path: $0) }
    }

    func create() throws {
        for folder in [model, progress] {
            do {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            } catch {
                throw ConfigurationError(
                    place: folder.path, "cannot be created (\(error.localizedDescription)).",
                    advice: "`base_output_dir` must be a folder that you may write to.")
            }
        }
    }

    /// Writes the configuration that the run uses.
    func write(configuration text: String) throws {
        let file = layout.configuration
        do {
            try Data(text.utf8).write(to: file, options: .atomic)
        } catch {
            throw ConfigurationError(
                place: file.path, "cannot be written (\(error.localizedDescription)).",
                advice: "`base_output_dir` must be a folder with some room that you may write to.")
        }
    }
}
