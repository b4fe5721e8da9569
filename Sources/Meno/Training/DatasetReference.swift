internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoHub

/// Data by the Hugging Face id of a dataset.
enum DatasetReference {
    /// Replaces dataset ids with paths in the Hub's cache, and downloads what is missing. An
    /// existing path takes precedence over an id.
    /// - Throws: ``HubError``
    static func located(
        _ paths: [String], log: any SessionLog, isCancelled: () -> Bool
    ) throws -> [String] {
        try paths.map { path in
            guard let reference = reference(path) else { return path }
            let snapshot = try Hub(HubSettings()).locate(reference, .dataset, log: log, isCancelled: isCancelled)
            let folder = snapshot.url.path
            return reference.selector.map { folder + "/" + $0 } ?? folder
        }
    }

    /// `nil` if the path exists or cannot be an id.
    static func reference(_ path: String) -> HubReference? {
        guard !FileManager.default.fileExists(atPath: URL(filePath: path).path), !SourceFiles.isOfRecordsByName(path),
            var reference = HubReference(path)
        else { return nil }
        reference.isDataset = true
        return reference
    }

    /// Sources with the paths of the cached files.
    static func located(
        _ sources: [DataSource], log: any SessionLog, isCancelled: () -> Bool
    ) throws -> [DataSource] {
        try sources.map { source in
            var source = source
            source.paths = try located(source.paths, log: log, isCancelled: isCancelled)
            return source
        }
    }
}
