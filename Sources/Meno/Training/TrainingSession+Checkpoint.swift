internal import Foundation
internal import MenoMetrics
internal import MenoTraining

extension TrainingSession {
    /// - Throws: ``ConfigurationError`` if the folder does not exist or is a run's folder.
    static func requireCheckpoint(_ url: URL) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw ConfigurationError(.notFound, at: url.path, "there is no checkpoint here.")
        }
        for folder in [RunLayout(url).model, url] {
            guard let newest = CheckpointStore(folder).progress else { continue }
            throw ConfigurationError(
                .invalid, at: url.path, "is a run's folder, not a checkpoint.",
                advice: "Its checkpoints are \(folder.path)/\(RunLayout.checkpointPrefix)N. Give the newest, "
                    + "\(CheckpointStore(folder).url(step: newest.step).path).", settings: [.resumption])
        }
    }

    static func checkpoint(
        _ resumption: FineTuning.Resumption, in folders: RunFolders, _ log: any SessionLog
    ) throws -> URL? {
        let store = CheckpointStore(folders.model)
        switch resumption {
        case .none: return nil
        case .from(let url): return url
        case .newest:
            let (url, faults) = store.newest()
            for fault in faults { log.warn(fault) }
            if url == nil {
                try folders.requireNoResult(faults)
                log.note("there is no complete checkpoint in \(store.folder.path): the run starts from scratch")
            }
            return url
        }
    }
}
