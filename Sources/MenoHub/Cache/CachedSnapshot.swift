internal import Foundation
internal import MenoFormats

/// A usable snapshot in the cache.
struct CachedSnapshot {
    let snapshot: Hub.Snapshot
    /// Whether nothing is known to be missing. If another program downloaded only some of the files, only the Hub
    /// knows whether there are more.
    let isComplete: Bool

    /// - Returns: `nil` if a file is missing that the reference needs.
    init?(_ reference: HubReference, _ parts: HubParts, in cache: URL) {
        let repository = CachedRepository(reference, in: cache)
        guard let commit = repository.commit(of: reference.requestedRevision) else { return nil }
        let folder = repository.snapshot(commit)
        let presence = { (name: String) in repository.presence(of: name, at: commit) }
        if parts == .dataset {
            let files = repository.files(at: commit).filter {
                DatasetFileNames.isOfRecords($0) && DatasetFileNames.isSelected($0, reference.selector)
            }
            guard !files.isEmpty, repository.incompleteBlobs.isEmpty else { return nil }
            snapshot = Hub.Snapshot(url: folder, commit: commit)
            isComplete = presence(DatasetFileNames.completionMark(reference)) == .absent
            return
        }
        if reference.selector != nil {
            guard let file = try? GGUFChoice(reference: reference, names: repository.files(at: commit)).files().first
            else {
                return nil
            }
            snapshot = Hub.Snapshot(url: folder.appending(path: file), commit: commit)
            isComplete = true
            return
        }
        let needed = parts == .adapter ? ModelFileNames.adapterConfiguration : ModelFileNames.configuration
        let names = ModelFileNames.companions(parts)
        if presence(needed) == .present, Self.hasWeights(parts, folder, presence) {
            snapshot = Hub.Snapshot(url: folder, commit: commit)
            isComplete = names.allSatisfy { presence($0) != .unknown }
        } else if parts != .adapter, case let files = repository.files(at: commit),
            !files.contains(where: { $0.hasSuffix(".safetensors") }),
            let file = try? GGUFChoice(reference: reference, names: files).files().first
        {
            // Only the Hub knows whether the repository has other .gguf files.
            snapshot = Hub.Snapshot(url: folder.appending(path: file), commit: commit)
            isComplete = false
        } else {
            return nil
        }
    }

    private static func hasWeights(
        _ parts: HubParts, _ folder: URL, _ presence: (String) -> CachedRepository.Presence
    ) -> Bool {
        switch parts {
        case .dataset: return false
        case .tokenizer: return presence("tokenizer.json") == .present
        case .adapter: return presence(ModelFileNames.adapterWeights) == .present
        case .model:
            if presence(ModelFileNames.weights) == .present { return true }
            if presence(ModelFileNames.index) == .present {
                let index = try? SafetensorsIndex(contentsOf: folder.appending(path: ModelFileNames.index))
                return index?.shards.allSatisfy { presence($0) == .present } ?? false
            }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            let others = names.filter { $0.hasSuffix(".safetensors") && presence($0) == .present }
            return others.count == 1 && presence(ModelFileNames.weights) == .absent
                && presence(ModelFileNames.index) == .absent
        }
    }
}
