package import Foundation
internal import MenoFormats
package import MenoMetrics
internal import MenoModels

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The checkpoints of a run of one kind, in one folder: `checkpoint-N` or `stable_checkpoint-N`.
///
/// A checkpoint is staged in a hidden folder, synced to disk file by file with its manifest last, and renamed.
/// Whatever happens, a folder of that name with a matching manifest is complete.
package struct CheckpointStore: Sendable {
    package let folder: URL
    package let kind: CheckpointRecord.Kind

    /// - Parameter kind: regular or stable.
    package init(_ folder: URL, kind: CheckpointRecord.Kind = .regular) {
        precondition(kind != .final)
        self.folder = folder
        self.kind = kind
    }

    private var prefix: String {
        kind == .stable ? RunLayout.stableCheckpointPrefix : RunLayout.checkpointPrefix
    }

    /// What a checkpoint holds, ready to be written.
    struct Contents: Sendable {
        var step: Int
        var form: SavedForm
        var weights: NamedValues
        /// `nil`: the checkpoint contains only the model.
        var optimizer: NamedValues?
        /// Small files, by name.
        var files: [String: Data]

        var size: Int {
            weights.size + (optimizer?.size ?? 0) + files.values.reduce(0) { $0 + $1.count } + form.companionSize
        }
    }

    static let optimizerName = "optimizer.safetensors"
    static let observersName = "observers.json"
    /// Free space required beyond the checkpoint's size, in bytes.
    static let reserve = 4 << 20

    /// Where the checkpoint of a step is.
    package func url(step: Int) -> URL { folder.appending(path: "\(prefix)\(step)") }

    /// A checkpoint's name relative to the run's folder.
    package func path(step: Int) -> String { "\(folder.lastPathComponent)/\(prefix)\(step)" }

    /// The steps of all checkpoints in ascending order, complete or not.
    package var steps: [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.compactMap { RunLayout.step(ofCheckpoint: $0, prefix: prefix) }.sorted()
    }

    /// The newest checkpoint that a run can be resumed from, a complete one of Meno or one of Trainer, and what is
    /// wrong with newer ones.
    package func newest() -> (url: URL?, faults: [String]) {
        putBackReplaced()
        var faults: [String] = []
        for step in steps.reversed() {
            let url = url(step: step)
            guard let fault = fault(of: url) else { return (url, faults) }
            faults.append("\(url.path) is skipped: \(fault).")
        }
        return (nil, faults)
    }

    /// Why a run cannot be resumed from a checkpoint; `nil`: it can.
    private func fault(of url: URL) -> String? {
        if let fault = CheckpointManifest.fault(of: url) { return (try? ForeignCheckpoint(url)) == nil ? fault : nil }
        return SavedRun.isWhole(url) ? nil : SavedRun.modelAlone
    }

    /// Whether a run can be resumed from one of the checkpoints, judging by file sizes.
    package var isResumable: Bool {
        putBackReplaced()
        return steps.contains { step in
            let url = url(step: step)
            return (CheckpointManifest.hasFiles(url) && SavedRun.isWhole(url)) || (try? ForeignCheckpoint(url)) != nil
        }
    }

    /// The newest step with a checkpoint, and the planned steps of its run if it records them; `nil` if no folder of
    /// such a name contains a checkpoint, neither a complete one of Meno nor one of Trainer.
    package var progress: (step: Int, total: Int?)? {
        struct State: Decodable { var maxSteps: Int }
        putBackReplaced()
        let newest = steps.last {
            CheckpointManifest.hasFiles(url(step: $0)) || (try? ForeignCheckpoint(url(step: $0))) != nil
        }
        return newest.map { step in
            let state = try? Data(contentsOf: url(step: step).appending(path: TrainerState.name))
            return (step, state.flatMap { try? Self.decoder.decode(State.self, from: $0).maxSteps })
        }
    }

    // MARK: Writing

    func write(_ contents: Contents) throws {
        try WholeFile.createFolder(folder)
        removeRemains()
        try checkSpace(for: contents.size)
        let staged = folder.appending(path: ".\(prefix)\(contents.step).partial")
        try? FileManager.default.removeItem(at: staged)
        do {
            try FileManager.default.createDirectory(at: staged, withIntermediateDirectories: false)
            try contents.form.write(contents.weights, to: staged)
            try contents.optimizer?.write(to: staged.appending(path: Self.optimizerName))
            for (name, data) in contents.files {
                try WholeFile.write(data, to: staged.appending(path: name), durability: .none)
            }
            for name in try FileManager.default.contentsOfDirectory(atPath: staged.path) {
                try WholeFile.synchronize(staged.appending(path: name))
            }
            let manifest = try Self.encoder.encode(CheckpointManifest(of: staged))
            try WholeFile.write(manifest, to: staged.appending(path: CheckpointManifest.name))
            try put(staged, step: contents.step)
        } catch {
            try? FileManager.default.removeItem(at: staged)
            throw error
        }
    }

    /// Gives a staged checkpoint its name. An existing one of that name stays until the new one is in place.
    private func put(_ staged: URL, step: Int) throws {
        let (named, replaced) = (url(step: step), replaced(step: step))
        if FileManager.default.fileExists(atPath: named.path) {
            try? FileManager.default.removeItem(at: replaced)
            try FileManager.default.moveItem(at: named, to: replaced)
        }
        do {
            try FileManager.default.moveItem(at: staged, to: named)
            try WholeFile.synchronize(folder)
        } catch {
            putBackReplaced()
            throw error
        }
        try? FileManager.default.removeItem(at: replaced)
    }

    private func replaced(step: Int) -> URL { folder.appending(path: ".\(prefix)\(step)\(Self.replacedSuffix)") }
    private static let replacedSuffix = ".replaced"

    /// Restores checkpoints whose replacement was interrupted after they had given up their name. If the new
    /// checkpoint is in place and complete, the old one is deleted, because it would reappear if the new one were
    /// renamed.
    private func putBackReplaced() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        where name.hasPrefix(".\(prefix)") && name.hasSuffix(Self.replacedSuffix) {
            guard let step = Int(name.dropFirst(prefix.count + 1).dropLast(Self.replacedSuffix.count)) else { continue }
            let (old, named) = (replaced(step: step), url(step: step))
            if FileManager.default.fileExists(atPath: named.path) {
                try? FileManager.default.removeItem(at: old)
            } else {
                try? FileManager.default.moveItem(at: old, to: named)
            }
        }
    }

    /// JSON output that is identical for identical values.
    static var encoder: JSONEncoder { .reproducible(isPretty: true, snakeCase: true) }

    static var decoder: JSONDecoder {
        let decoder = JSONDecoder.reproducible(snakeCase: true)
        // As in Python, NaN and Infinity are written unquoted.
        decoder.allowsJSON5 = true
        return decoder
    }

    private func checkSpace(for size: Int) throws {
        guard let free = freeSpace, free < size + Self.reserve else { return }
        throw TrainingError(
            .cannotSave,
            "\(folder.path): \(free >> 20) MiB are free; a checkpoint needs \((size + Self.reserve) >> 20) MiB.",
            advice: "Free some space; the run will try again at the next checkpoint.")
    }

    /// Free bytes on the folder's file system; `nil`: unknown.
    var freeSpace: Int? {
        var status = statvfs()
        guard statvfs(folder.path, &status) == 0 else { return nil }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    // MARK: Removing

    /// Removes the oldest checkpoints beyond `limit`, except those to keep. Damaged ones are not counted and stay.
    /// - Returns: the removed steps.
    func rotate(limit: Int?, keeping kept: Set<Int>) -> [Int] {
        guard let limit else { return [] }
        let steps = steps.filter { CheckpointManifest.hasFiles(url(step: $0)) }
        let removable = steps.filter { !kept.contains($0) }
        let removed = Array(removable.prefix(max(0, steps.count - limit)))
        return removed.filter { (try? remove(step: $0)) ?? false }
    }

    /// Renames the folder first, and syncs that to disk, so that a partly removed folder is never mistaken for a
    /// checkpoint.
    /// - Returns: whether there was one.
    package func remove(step: Int) throws -> Bool {
        guard FileManager.default.fileExists(atPath: url(step: step).path) else { return false }
        let hidden = folder.appending(path: ".\(prefix)\(step).removed")
        try? FileManager.default.removeItem(at: hidden)
        try FileManager.default.moveItem(at: url(step: step), to: hidden)
        try WholeFile.synchronize(folder)
        try? FileManager.default.removeItem(at: hidden)
        return true
    }

    /// Renames checkpoints of later steps, so that none is mistaken for part of the run that continues from this
    /// step. The newest goes first: after an interruption, what is left is the older part of a single run.
    /// - Returns: their new names.
    func setAside(after step: Int) throws -> [String] {
        putBackReplaced()
        return try steps.filter { $0 > step }.reversed().map { step in
            let name = "\(RunLayout.abandonedPrefix)\(prefix)\(step)"
            let names = [name] + (2...1000).map { "\(name).\($0)" }
            let free = names.first { !FileManager.default.fileExists(atPath: folder.appending(path: $0).path) } ?? name
            do {
                try FileManager.default.moveItem(at: url(step: step), to: folder.appending(path: free))
                try WholeFile.synchronize(folder)
            } catch {
                throw TrainingError(
                    .cannotResume,
                    "\(url(step: step).path) belongs to a later step and cannot be renamed (\(error.localizedDescription)).",
                    advice:
                        "Move it elsewhere. Otherwise, resuming from the newest checkpoint would take it for a part of this run."
                )
            }
            return free
        }
    }

    /// Removes what a killed process left behind.
    package func removeRemains() {
        putBackReplaced()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        where name.hasPrefix(".\(prefix)") { try? FileManager.default.removeItem(at: folder.appending(path: name)) }
    }
}
