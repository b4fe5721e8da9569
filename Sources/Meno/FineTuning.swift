public import Foundation
public import MenoConfiguration
public import MenoMetrics

/// A training run: a model, data and settings, from the first step to the files of the result.
///
/// Creating one loads nothing. ``run(onEvent:)`` loads the model and the data, trains, and writes the run's folder;
/// ``events()`` does the same and delivers what happens as a sequence:
///
/// ```swift
/// let configuration = RunConfiguration(model: "smollm2-135m", data: "dialogues.jsonl", output: "runs/first")
/// for try await event in FineTuning(configuration).events() {
///     if case .step(let step) = event { print("step \(step.step): loss \(step.loss)") }
/// }
/// ```
///
/// A run computes on a dedicated thread. The model never leaves that thread; only values such as
/// ``RunEvent`` do.
public struct FineTuning: Sendable {
    /// What a run starts from.
    public enum Resumption: Sendable, Hashable {
        /// A new run.
        case none
        /// The newest complete checkpoint in the run's folder, or a new run if there is none.
        case newest
        /// The checkpoint in this folder, written by Meno or by `Trainer` and PEFT.
        case from(URL)
    }

    /// Model, data and settings.
    public var configuration: RunConfiguration
    /// What the run starts from.
    public var resumption: Resumption
    /// Whether to replace a run that already exists in the folder. If `false`, an existing run is
    /// an error.
    public var overwrites: Bool
    /// Whether settings that change the result may differ from those of the checkpoint.
    public var allowsChanges: Bool

    /// Describes a run; nothing is read or checked yet.
    /// - Parameters:
    ///   - configuration: model, data and settings.
    ///   - resumption: what the run starts from.
    ///   - overwrites: whether to replace a run that already exists in the folder. If `false`, an
    ///     existing run is an error.
    ///   - allowsChanges: whether settings that change the result may differ from those of the checkpoint.
    public init(
        _ configuration: RunConfiguration, resumption: Resumption = .none, overwrites: Bool = false,
        allowsChanges: Bool = false
    ) {
        self.configuration = configuration
        self.resumption = resumption
        self.overwrites = overwrites
        self.allowsChanges = allowsChanges
    }

    /// Trains, and writes the adapter or the model.
    ///
    /// If the task is cancelled, the run finishes the current step, writes a checkpoint and ends
    /// with the reason `interrupted`; resume it with ``Resumption/newest``. A task that is
    /// cancelled while the model is still loading makes no step.
    /// - Parameter onEvent: called with every event, in order, on the run's thread. The run waits
    ///   for it to return.
    /// - Returns: how the run ended.
    /// - Throws: ``ConfigurationError`` (settings, or the run's folder), ``DataError`` (records),
    ///   ``ModelError`` and ``FormatError`` (the model's files), ``HubError`` (a model that cannot
    ///   be downloaded from the Hub), ``TokenizerError`` (tokenizer or chat template),
    ///   ``TrainingError`` (a loss that is not finite, a checkpoint that cannot be resumed) or
    ///   ``TorchError`` (libtorch, including out of memory).
    ///   is not finite, a checkpoint that cannot be resumed) or ``TorchError`` (libtorch, memory included).
    @discardableResult
    public func run(onEvent: @escaping @Sendable (RunEvent) -> Void = { _ in }) async throws -> RunOutcome {
        let flag = StopFlag()
        return try await withTaskCancellationHandler {
            try await onThread("meno.training") { try train(onEvent, shouldStop: { flag.isSet }) }
        } onCancel: {
            flag.set()
        }
    }

    /// Starts the run and delivers its events in order. The last one is `finished`.
    ///
    /// Leaving the loop early cancels the run: it finishes the current step and writes a
    /// checkpoint. Another run can use the folder once that checkpoint is written.
    /// - Returns: a sequence for a single loop. It throws what ``run(onEvent:)`` throws.
    public func events() -> AsyncThrowingStream<RunEvent, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    // The report is written before the final event is delivered, so whoever
                    // receives it finds every file in place.
                    let outcome = try await run { event in
                        if case .finished = event { return }
                        continuation.yield(event)
                    }
                    continuation.yield(.finished(outcome))
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { if case .cancelled = $0 { task.cancel() } }
        }
    }

    private func train(
        _ onEvent: @escaping @Sendable (RunEvent) -> Void, shouldStop: @escaping @Sendable () -> Bool
    ) throws -> RunOutcome {
        let configuration = try configuration.validated("FineTuning")
        return try TrainingSession(
            configuration, overwrites: overwrites, resumption: resumption, allowsChanges: allowsChanges,
            log: EventLog(onEvent), shouldStop: shouldStop
        ).run()
    }
}
