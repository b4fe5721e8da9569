internal import Foundation
package import MenoHub
internal import MenoModels
internal import MenoTraining

extension Hub {
    /// Returns the files of a reference from the cache, or downloads them. Blocks this thread.
    /// - Parameters:
    ///   - isRenewed: whether to look a branch up again although it is in the cache.
    ///   - isCancelled: called repeatedly.
    /// - Throws: ``HubError``, ``ModelError`` if the model is not supported (its weights are then
    ///   not downloaded), or ``TrainingError`` `interrupted`.
    package func locate(
        _ reference: HubReference, _ parts: HubParts = .model, isRenewed: Bool = false, log: any SessionLog,
        isCancelled: () -> Bool = { Task.isCancelled }
    ) throws -> Snapshot {
        try waiting(log: log, isCancelled: isCancelled) { events in
            try await snapshot(reference, parts: parts, isRenewed: isRenewed, events: events) { folder in
                let configuration = folder.appending(path: "config.json")
                guard parts == .model, FileManager.default.fileExists(atPath: configuration.path) else { return }
                _ = try DecoderConfiguration.read(huggingFace: configuration)
            }
        }
    }

    /// What downloading a reference would transfer; `nil` if everything is in the cache.
    package func forecast(_ reference: HubReference, _ parts: HubParts, log: any SessionLog) throws -> DownloadForecast?
    {
        try waiting(log: log, isCancelled: { false }) { _ in try await forecast(reference, parts: parts) }
    }

    /// Runs an async function on Swift's threads and reports its progress on this thread, because
    /// the log must be used from one thread.
    private func waiting<Value: Sendable>(
        log: any SessionLog, isCancelled: () -> Bool,
        _ body: @escaping @Sendable (@escaping @Sendable (HubEvent) -> Void) async throws -> Value
    ) throws -> Value {
        let mailbox = Mailbox<Value>()
        let task = Task.detached {
            do {
                mailbox.close(.success(try await body { mailbox.add($0) }))
            } catch {
                mailbox.close(.failure(error))
            }
        }
        while true {
            let (events, result) = mailbox.take()
            for event in events {
                switch event {
                case .note(let text): log.note(text)
                case .progress(let text): log.progress(text)
                }
            }
            guard let result else {
                if isCancelled() { task.cancel() }
                continue
            }
            do {
                return try result.get()
            } catch is CancellationError {
                throw TrainingError(.interrupted, "the download was cancelled.")
            }
        }
    }
}

/// Passes values from one thread to another.
private final class Mailbox<Value: Sendable>: @unchecked Sendable {
    // `condition` guards the following properties.
    private let condition = NSCondition()
    private var events: [HubEvent] = []
    private var result: Result<Value, any Error>?

    func add(_ event: HubEvent) {
        condition.withLock {
            events.append(event)
            condition.signal()
        }
    }

    func close(_ result: Result<Value, any Error>) {
        condition.withLock {
            self.result = result
            condition.signal()
        }
    }

    /// Returns what has arrived, after a short wait if nothing has.
    func take() -> ([HubEvent], Result<Value, any Error>?) {
        condition.withLock {
            if events.isEmpty, result == nil { _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1)) }
            defer { events = [] }
            return (events, result)
        }
    }
}
