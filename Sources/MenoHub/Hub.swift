package import Foundation

/// Models of the Hugging Face Hub: in the cache that all of Hugging Face's programs share, or downloaded into it.
package struct Hub: Sendable {
    package let settings: HubSettings

    package init(_ settings: HubSettings) { self.settings = settings }

    /// The files of a model at a commit.
    package struct Snapshot: Sendable, Hashable {
        /// A folder as transformers saves it, or a `.gguf` file.
        package let url: URL
        package let commit: String
    }

    /// The files that a reference means: from the cache where they are all there, else downloaded.
    ///
    /// A branch that is in the cache is not looked up again: what is there is taken, as without a network.
    /// - Parameters:
    ///   - isRenewed: whether the revision is looked up, though the cache has it.
    ///   - approve: called with the folder when all but the weights has been downloaded. What it throws ends the download.
    /// - Throws: ``HubError``, or what `approve` throws.
    package func snapshot(
        _ reference: HubReference, parts: HubParts = .model, isRenewed: Bool = false,
        events: @escaping @Sendable (HubEvent) -> Void = { _ in },
        approve: @escaping @Sendable (URL) throws -> Void = { _ in }
    ) async throws -> Snapshot {
        let cached = CachedSnapshot(reference, parts, in: settings.cache)
        if let cached, cached.isComplete, !isRenewed { return cached.snapshot }
        if let variable = settings.offlineBecause {
            if let cached { return cached.snapshot }
            throw absence(reference, because: variable)
        }
        var settings = settings
        // What is there can be used: whether there is more is not worth a long wait.
        if cached != nil { settings.retries = 0 }
        do {
            return try await HubTransport.with(settings) { transport in
                let download = RepositoryDownload(
                    reference: reference, parts: parts, transport: transport, events: events, approve: approve)
                let (commit, file) = try await download.run()
                let folder = CachedRepository(reference, in: settings.cache).snapshot(commit)
                return Snapshot(url: file.map { folder.appending(path: $0) } ?? folder, commit: commit)
            }
        } catch let error as HubError {
            guard let cached, !isRenewed else { throw explained(error, reference) }
            events(.note("\(reference): using the cached copy, because \(error.text)"))
            return cached.snapshot
        }
    }

    /// What the cache has of a model; nothing is asked of the network.
    package func cached(_ reference: HubReference, parts: HubParts = .model) -> Snapshot? {
        CachedSnapshot(reference, parts, in: settings.cache)?.snapshot
    }

    /// What a download would bring; `nil` where the cache has everything.
    package func forecast(_ reference: HubReference, parts: HubParts = .model) async throws -> DownloadForecast? {
        if CachedSnapshot(reference, parts, in: settings.cache) != nil { return nil }
        if let variable = settings.offlineBecause {
            throw absence(reference, because: variable)
        }
        do {
            return try await HubTransport.with(settings) { transport in
                try await RepositoryDownload(
                    reference: reference, parts: parts, transport: transport, events: { _ in }, approve: { _ in }
                ).forecast()
            }
        } catch let error as HubError {
            throw explained(error, reference)
        }
    }

    private func absence(_ reference: HubReference, because variable: String) -> HubError {
        HubError(
            .offline, at: reference.description,
            "is neither a file or folder nor a \(reference.isDataset ? "dataset" : "model") in \(settings.cache.path), and "
                + "\(variable) is set.",
            advice: "Unset \(variable) to download it.")
    }

    /// What was given may have been meant as a path: an error about a server alone would not help.
    private func explained(_ error: HubError, _ reference: HubReference) -> HubError {
        guard error.code == .network, error.place?.hasPrefix(reference.id) != true else { return error }
        return HubError(
            .network, at: reference.description,
            "is neither a file or folder nor a \(reference.isDataset ? "dataset" : "model") in \(settings.cache.path), and "
                + "\(error.text)",
            advice: error.advice)
    }
}
