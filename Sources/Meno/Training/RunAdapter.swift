internal import Foundation
internal import MenoHub

/// The adapter that a run starts from.
struct RunAdapter {
    /// The name as the user gave it.
    let name: String
    let url: URL
    /// The commit of an adapter from the Hub; see ``RunModel``.
    private let commit: String?

    private static let key = "lora.init_adapter"
    /// The key in a checkpoint's settings.
    private static let commitKey = "\(key) (commit)"

    /// - Parameters:
    ///   - name: as the user gave it; `nil`: the run begins with a new adapter.
    ///   - stored: the settings of the checkpoint to resume from.
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
        // A run begun by an earlier version has none.
        commit = stored == nil || stored?[Self.commitKey] != nil ? snapshot.commit : nil
    }

    /// The entries for a checkpoint's settings.
    var settings: [String: String] { commit.map { [Self.commitKey: $0] } ?? [:] }

    /// A permanent name for this adapter, used in the run's saved configuration.
    var lastingName: String {
        guard let commit, let reference = HubReference(name) else { return name }
        return reference.pinned(to: commit).description
    }
}
