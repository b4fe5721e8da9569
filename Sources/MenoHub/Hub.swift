package import Foundation

/// Models from the Hugging Face Hub, in the cache that all Hugging Face programs share, or downloaded into it.
package struct Hub: Sendable {
    package let settings: HubSettings

    package init(_ settings: HubSettings) { self.settings = settings }

    /// The files of a model at a commit.
    package struct Snapshot: Sendable, Hashable {
        /// A folder as saved by transformers, or a `.gguf` file.
        package let url: URL
        package let commit: String
    }

    /// Returns the files of a reference, from the cache if all of them are there, or else downloaded.
    ///
    /// A branch that is in the cache is not looked up again; the cached commit is used, as it would be without a
    /// network.
    /// - Parameters:
    ///   - isRenewed: whether to look up the revision although it is in the cache.
    ///   - approve: called with the folder once everything but the weights is downloaded. An error it throws ends the
    ///     download.
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
        // The cached files are usable, so it is not worth a long wait to learn whether there are newer ones.
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

    /// What the cache has of a model. Makes no network request.
    package func cached(_ reference: HubReference, parts: HubParts = .model) -> Snapshot? {
        CachedSnapshot(reference, parts, in: settings.cache)?.snapshot
    }

    /// What a download would transfer; `nil` if everything is in the cache.
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

    /// The user may have meant a path, so an error about a server alone would not help.
    private func explained(_ error: HubError, _ reference: HubReference) -> HubError {
        guard error.code == .network, error.place?.hasPrefix(reference.id) != true else { return error }
        return HubError(
            .network, at: reference.description,
            "is neither a file or folder nor a \(reference.isDataset ? "dataset" : "model") in \(settings.cache.path), and "
                + "\(error.text)",
            advice: error.advice)
    }
}
