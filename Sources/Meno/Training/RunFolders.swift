internal import Foundation
internal import MenoConfiguration
internal import MenoFormats
internal import MenoMetrics
internal import MenoModels
internal import MenoReporting
internal import MenoTokenizers
internal import MenoTraining

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The folders of a run that is about to begin or resume.
struct RunFolders {
    let layout: RunLayout
    var base: URL { layout.base }
    var model: URL { layout.model }
    var progress: URL { layout.progress }

    private let overwrites: Bool
    private let resumption: FineTuning.Resumption
    /// The checkpoints that existed when this value was created.
    private let steps: Set<Int>

    /// - Throws: the same errors as ``check()``.
    init(_ path: String, overwrites: Bool, resumption: FineTuning.Resumption) throws {
        layout = RunLayout(URL(filePath: path))
        self.overwrites = overwrites
        self.resumption = resumption
        steps = Set(CheckpointStore(layout.model).steps)
        try check()
    }

    /// Whether the run resumes from a checkpoint in this folder, so that its result may replace the
    /// existing one.
    private var resumesOwnRun: Bool {
        switch resumption {
        case .none: false
        case .newest: CheckpointStore(model).isResumable
        case .from(let url):
            url.standardizedFileURL.resolvingSymlinksInPath().deletingLastPathComponent().path
                == model.standardizedFileURL.resolvingSymlinksInPath().path
        }
    }

    /// - Throws: ``ConfigurationError`` if the folder cannot be created, or holds a run that should
    ///   be neither overwritten nor resumed.
    func check() throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: base.path, isDirectory: &isFolder), !isFolder.boolValue {
            throw ConfigurationError(
                .invalid, at: base.path, "is a file.",
                advice: "`base_output_dir` must be a folder; it need not exist yet.")
        }
        let newest = CheckpointStore(model).progress
        let result = result
        if let result, newest == nil, !isOfARun {
            throw ConfigurationError(
                .invalid, at: result.path,
                "already exists, and does not come from a run: \(base.path) has neither a run.yaml nor a run's log.",
                advice: "Choose another `base_output_dir`: the result of this run would replace it.")
        }
        guard !overwrites, !resumesOwnRun else { return }
        let hasResult = result != nil
        guard newest != nil || hasResult else { return }
        if newest != nil, case .newest = resumption {
            throw ConfigurationError(
                .invalid, at: model.path,
                "there is no checkpoint to resume from: the ones here contain only the model "
                    + "(save_only_model).",
                advice: "Overwrite it, or choose another folder.", settings: [.overwrites, .baseOutputDirectory])
        }
        let steps = newest.map { newest in " (step \(newest.step)\(newest.total.map { " of \($0)" } ?? ""))" } ?? ""
        let isUnfinished = newest.map { newest in newest.total.map { newest.step < $0 } ?? true } ?? false
        guard hasResult, !isUnfinished else {
            throw ConfigurationError(
                .invalid, at: model.path, "there is already an unfinished run here\(steps).",
                advice: (CheckpointStore(model).isResumable ? "Resume it, overwrite it" : "Overwrite it")
                    + ", or choose another folder.",
                settings: CheckpointStore(model).isResumable
                    ? [.resumption, .overwrites, .baseOutputDirectory] : [.overwrites, .baseOutputDirectory])
        }
        throw ConfigurationError(
            .invalid, at: model.path, "there is already a finished run here\(steps).",
            advice: (newest == nil ? "Overwrite" : "Resume it with more epochs to train longer, overwrite")
                + " it, or choose another folder.",
            settings: newest == nil
                ? [.overwrites, .baseOutputDirectory]
                : [.epochs, .resumption, .allowedChanges, .overwrites, .baseOutputDirectory])
    }

    /// - Throws: ``ConfigurationError`` if there is a result but no checkpoint to resume from: a
    ///   new run would replace the result.
    func requireNoResult(_ faults: [String]) throws {
        guard let result, !overwrites else { return }
        throw ConfigurationError(
            .invalid, at: result.path, "is the result of a run, and the run has no checkpoint to resume from.",
            advice: (faults.first.map { "\($0) " } ?? "")
                + "Overwrite it, or choose another folder.", settings: [.overwrites, .baseOutputDirectory])
    }

    /// - Throws: ``ConfigurationError`` if a newer checkpoint has appeared since this value was
    ///   created.
    func requireNewest(_ checkpoint: URL?) throws {
        let store = CheckpointStore(model)
        let known = checkpoint.flatMap { RunLayout.step(ofCheckpoint: $0.lastPathComponent) } ?? -1
        guard let newer = store.steps.last(where: { $0 > known && !steps.contains($0) }) else { return }
        throw ConfigurationError(
            .invalid, at: store.url(step: newer).path,
            "appeared while this process was starting: another process trained here.",
            advice: "Run the command again.")
    }

    /// The final weights of a run.
    private var result: URL? {
        Self.weights.map { model.appending(path: $0) }.first { FileManager.default.fileExists(atPath: $0.path) }
    }

    private var isOfARun: Bool {
        FileManager.default.fileExists(atPath: layout.configuration.path)
            || RunRecord.recording(in: base) != nil
    }

    /// Removes what an earlier run left: its result and reports, and its checkpoints if they are to
    /// be overwritten. Only files known to come from Meno are removed, and logs are kept.
    /// - Parameter inputs: what the new run starts from. If that includes the old result, it stays
    ///   until there is a new one.
    func clear(keeping inputs: [URL]) throws {
        let kept = inputs.map { $0.resolvingSymlinksInPath().path }
        for kind in overwrites ? [CheckpointRecord.Kind.stable, .regular] : [] {
            let store = CheckpointStore(model, kind: kind)
            // Newest first: if this is interrupted, the older part of the run remains, including
            // its best checkpoint.
            for step in store.steps.reversed() where step >= 0 {
                try remove(store.url(step: step)) { _ = try store.remove(step: step) }
            }
        }
        var old = oldCheckpoints
        if !kept.contains(model.resolvingSymlinksInPath().path) {
            old += Self.results.map { model.appending(path: $0) }
        }
        old += Self.contents(of: progress).filter { RunLayout.isRecord($0.lastPathComponent) }
        for url in old where FileManager.default.fileExists(atPath: url.path) {
            try remove(url) { try FileManager.default.removeItem(at: url) }
        }
    }

    /// Removes unfinished files of a killed process. Only the holder of the folder's lock may do
    /// so.
    func removeRemains() {
        for kind in [CheckpointRecord.Kind.regular, .stable] { CheckpointStore(model, kind: kind).removeRemains() }
        for folder in [base, model, progress] {
            for url in Self.contents(of: folder) where WholeFile.isPartial(url) {
                try? FileManager.default.removeItem(at: url)
            }
        }
    }

    private func remove(_ url: URL, by body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            throw ConfigurationError(
                .invalid, at: url.path,
                "belongs to an earlier run and cannot be removed (\(error.localizedDescription)).",
                advice: "Remove it by hand, or choose another folder.", settings: [.baseOutputDirectory])
        }
    }

    /// - Throws: ``ConfigurationError`` if the new run starts from something inside a checkpoint
    ///   that it overwrites.
    func requireOutside(_ inputs: [URL]) throws {
        let paths = oldCheckpoints.map { $0.resolvingSymlinksInPath().path }
        for input in inputs.map({ $0.resolvingSymlinksInPath().path })
        where paths.contains(where: { input == $0 || input.hasPrefix($0 + "/") }) {
            throw ConfigurationError(
                .invalid, at: input,
                "is a checkpoint that would be overwritten, and the new run starts from it.",
                advice: "Copy it elsewhere first, or choose another folder.", settings: [.baseOutputDirectory])
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
                try WholeFile.createFolder(folder)
            } catch {
                throw ConfigurationError(
                    .invalid, at: folder.path, "cannot be created (\(error.localizedDescription)).",
                    advice: "Choose a folder that you can write to.", settings: [.baseOutputDirectory])
            }
        }
        try requireWritable()
    }

    /// Tries to create a file in each existing folder. Permission bits are not enough: the file
    /// system may be read-only, or access rules may forbid writing.
    /// - Throws: ``ConfigurationError`` if the result could not be written at the end of the run.
    func requireWritable() throws {
        for folder in [base, model, progress] {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder) else { continue }
            guard isFolder.boolValue else {
                throw ConfigurationError(
                    .invalid, at: folder.path, "is a file.",
                    advice: "A run needs a folder of this name: move the file elsewhere.")
            }
            // The next run removes a file of this name if this process ends before it does.
            let file = folder.appending(path: ".writable.test.partial")
            let descriptor = open(file.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            // A full disk may have room again when there is something to save; there is a separate
            // warning for it.
            if descriptor < 0, errno == ENOSPC || errno == EDQUOT { continue }
            guard descriptor >= 0 else {
                throw ConfigurationError(
                    .invalid, at: folder.path, "cannot be written to (\(String(cString: strerror(errno)))).",
                    advice: "Choose a folder that you can write to.", settings: [.baseOutputDirectory])
            }
            close(descriptor)
            unlink(file.path)
        }
    }

    /// Writes the configuration that the run uses.
    func write(configuration text: String) throws {
        let file = layout.configuration
        do {
            try WholeFile.write(Data(text.utf8), to: file)
        } catch {
            throw ConfigurationError(
                .invalid, at: file.path, "cannot be written (\(error.localizedDescription)).",
                advice: "Choose a folder that has free space and that you can write to.",
                settings: [.baseOutputDirectory])
        }
    }
}
