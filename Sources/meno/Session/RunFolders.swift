import Foundation
import MenoConfiguration
import MenoModels
import MenoTraining

/// The folders of a run.
struct RunFolders {
    let base: URL
    var model: URL { base.appending(path: "model") }
    var progress: URL { base.appending(path: "training_progress") }

    /// - Throws: when a finished run is there and is not to be overwritten.
    init(_ path: String, overwrites: Bool, resumes: Bool) throws {
        base = URL(filePath: path)
        if !overwrites, !resumes, let step = CheckpointStore(model).steps.last {
            throw ConfigurationError(
                place: model.path, "an unfinished run is here already (checkpoint-\(step)).",
                advice: "Go on with --resume auto, start anew with --overwrite, or choose another `base_output_dir`.")
        }
        for file in [LoRAFiles.weightsName, "model.safetensors"] where !overwrites && !resumes {
            guard FileManager.default.fileExists(atPath: model.appending(path: file).path) else { continue }
            throw ConfigurationError(
                place: model.appending(path: file).path, "a run has been finished here already.",
                advice: "Choose another `base_output_dir`, or give --overwrite.")
        }
    }

    /// Removes what an earlier run left: checkpoints, its result, and what was told of it. Logs stay.
    /// - Parameter inputs: what the new run begins with: where that is this result, it stays until there is another.
    func clear(keeping inputs: [URL]) throws {
        var old = Self.contents(of: model).filter { Self.isCheckpoint($0.lastPathComponent) }
        if !inputs.map({ $0.resolvingSymlinksInPath().path }).contains(model.resolvingSymlinksInPath().path) {
            old += Self.results.map { model.appending(path: $0) }
        }
        old += Self.contents(of: progress).filter { ["html", "svg", "json", "jsonl"].contains($0.pathExtension) }
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

    private static let results = [LoRAFiles.weightsName, LoRAFiles.configurationName, "model.safetensors"]

    private static func isCheckpoint(_ name: String) -> Bool {
        ["checkpoint-", "stable_checkpoint-", CheckpointStore.abandonedPrefix].contains(where: name.hasPrefix)
    }

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

    func write(_ text: String, to name: String) throws {
        let file = base.appending(path: name)
        do {
            try Data(text.utf8).write(to: file, options: .atomic)
        } catch {
            throw ConfigurationError(
                place: file.path, "cannot be written (\(error.localizedDescription)).",
                advice: "`base_output_dir` must be a folder with some room that you may write to.")
        }
    }
}
