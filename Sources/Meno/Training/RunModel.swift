internal import Foundation
internal import MenoHub

/// The model that a run trains.
struct RunModel {
    /// The name as the user gave it.
    let name: String
    let url: URL
    /// The commit of a Hub model. A branch may move on, but a resumed run needs the weights it
    /// began with.
    private let commit: String?

    /// The key in a checkpoint's settings.
    private static let commitKey = "model.name_or_path (commit)"

    /// - Parameters:
    ///   - name: as the user gave it.
    ///   - stored: the settings of the checkpoint to resume from.
    init(
        _ name: String, stored: [String: String]?, log: any SessionLog, isCancelled: () -> Bool
    ) throws {
        guard case .hub(let reference) = try ModelReference(name) else {
            self.name = name
            url = try ModelReference(name).locate(log: log, isCancelled: isCancelled)
            commit = nil
            return
        }
        let resumed = Self.resumed(reference, "model.name_or_path", stored)
        self.name = resumed?.name ?? name
        let snapshot = try Hub(HubSettings()).locate(
            resumed?.reference ?? reference, log: log, isCancelled: isCancelled)
        (url, commit) = (snapshot.url, snapshot.commit)
    }

    /// The commit that a run began with, if the reference names the same repository. `run.yaml`
    /// contains the commit itself.
    /// - Parameter key: the setting that contains the reference.
    static func resumed(
        _ reference: HubReference, _ key: String, _ stored: [String: String]?
    ) -> (name: String, reference: HubReference)? {
        guard let stored, let name = stored[key], let commit = stored["\(key) (commit)"],
            let before = HubReference(name), case let pinned = before.pinned(to: commit),
            reference == before || reference == pinned
        else { return nil }
        return (name, pinned)
    }

    /// The commit of a base model, if the run's model came from the same repository.
    func revision(of base: String) -> String? { HubReference(name)?.id == base ? commit : nil }

    /// The entries for a checkpoint's settings.
    var settings: [String: String] { commit.map { [Self.commitKey: $0] } ?? [:] }

    /// Where the run's files can be found without network access.
    var place: String { commit == nil ? name : url.path }

    /// A permanent name for these weights, used in the run's saved configuration.
    var lastingName: String {
        guard let commit, let reference = HubReference(name) else { return name }
        return reference.pinned(to: commit).description
    }
}
