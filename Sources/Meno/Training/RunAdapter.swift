internal import Foundation
internal import MenoHub

/// The adapter that a run goes on from.
struct RunAdapter {
    /// As it was given.
    let name: String
    let url: URL
    /// The commit of an adapter of the Hub, as ``RunModel`` has one.
    private let commit: String?

    private static let key = "lora.init_adapter"
    /// Among the settings of a checkpoint.
    private static let commitKey = "\(key) (commit)"

    /// - Parameters:
    ///   - name: as it was given; `nil`: the run begins with a new adapter.
    ///   - stored: the settings of the checkpoint that the run is resumed from.
    init?(_ name: String?, stored: [String: String]?, log: any SessionLog, isCancelled: () -> Bool) throws {
        guard let name else { return nil }
        guard !FileManager.default.fileExists(atPath: URL(filePath: name).path), let reference = HubReference(name)
        else {
            (self.name, url, commit) = (name, URL(filePath: name), nil)
            return
        }
        let resumed = RunModel.resumed(reference, Self.key, stored)
        let snapshot = try Hub(HubSettings()).locate(
            resumed?.reference ?? reference, .adapter, log: log, isCancelled: isCancelled)
        self.name = resumed?.name ?? name
        url = snapshot.url
        // A run that an earlier version began has none.
        commit = stored == nil || stored?[Self.commitKey] != nil ? snapshot.commit : nil
    }

    /// What belongs to the settings of a checkpoint.
    var settings: [String: String] { commit.map { [Self.commitKey: $0] } ?? [:] }

    /// A name that means this adapter forever, for the run's own configuration.
    var lastingName: String {
        guard let commit, let reference = HubReference(name) else { return name }
        return reference.pinned(to: commit).description
    }
}
