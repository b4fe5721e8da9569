internal import Foundation
internal import MenoHub

/// The model that a run is made with.
struct RunModel {
    /// As it was given.
    let name: String
    let url: URL
    /// The commit of a model of the Hub. A branch goes on; a run that is resumed needs the weights that it began with.
    private let commit: String?

    /// Among the settings of a checkpoint.
    private static let commitKey = "model.name_or_path (commit)"

    /// - Parameters:
    ///   - name: as it was given.
    ///   - stored: the settings of the checkpoint that the run is resumed from.
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

    /// The commit that a run began with, where a reference means the same repository. `run.yaml` names the commit itself.
    /// - Parameter key: the setting that has the reference.
    static func resumed(
        _ reference: HubReference, _ key: String, _ stored: [String: String]?
    ) -> (name: String, reference: HubReference)? {
        guard let stored, let name = stored[key], let commit = stored["\(key) (commit)"],
            let before = HubReference(name), case let pinned = before.pinned(to: commit),
            reference == before || reference == pinned
        else { return nil }
        return (name, pinned)
    }

    /// The commit of a base model, where that is the repository that the run's model came from.
    func revision(of base: String) -> String? { HubReference(name)?.id == base ? commit : nil }

    /// What belongs to the settings of a checkpoint.
    var settings: [String: String] { commit.map { [Self.commitKey: $0] } ?? [:] }

    /// Where the run's files are found without asking anybody.
    var place: String { commit == nil ? name : url.path }

    /// A name that means these weights forever, for the run's own configuration.
    var lastingName: String {
        guard let commit, let reference = HubReference(name) else { return name }
        return reference.pinned(to: commit).description
    }
}
