internal import Foundation
internal import MenoConfiguration
internal import MenoData
package import MenoHub

/// Data by the Hugging Face id of a dataset: `org/name`, or `datasets/org/name`, as in the Hub's addresses.
package enum DatasetReference {
    private static let prefix = "datasets/"

    /// What an id means that can be no model's; `nil` where a path is there, or can be no such id.
    package static func named(_ path: String) -> HubReference? { path.hasPrefix(prefix) ? reference(path) : nil }

    /// Paths of the same data, those of datasets in the hub's cache: what is not there yet is downloaded. A path that exists
    /// wins over an id.
    /// - Throws: ``HubError``
    static func located(
        _ paths: [String], log: any SessionLog, isCancelled: () -> Bool
    ) throws -> [String] {
        try paths.map { path in
            guard let reference = reference(path) else { return path }
            return place(
                of: reference,
                in: try Hub(HubSettings()).locate(reference, .dataset, log: log, isCancelled: isCancelled))
        }
    }

    /// The path of a dataset, or of what is selected of it.
    package static func place(of reference: HubReference, in snapshot: Hub.Snapshot) -> String {
        reference.selector.map { snapshot.url.path + "/" + $0 } ?? snapshot.url.path
    }

    /// `nil` where a path is there, or can be no id.
    package static func reference(_ path: String) -> HubReference? {
        guard !FileManager.default.fileExists(atPath: URL(filePath: path).path), !isOfRecords(path),
            var reference = HubReference(path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path)
        else { return nil }
        reference.isDataset = true
        return reference
    }

    /// Whether a path is a file's by its name. What an id selects (`org/name:train.jsonl`) may be named so.
    private static func isOfRecords(_ path: String) -> Bool {
        SourceFiles.isOfRecordsByName(String(path.prefix { $0 != ":" }))
    }

    /// Sources with the paths of what is in the cache.
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
