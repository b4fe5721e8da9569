internal import Foundation
public import MenoConfiguration
public import MenoData
public import MenoTokenizers
public import MenoTraining
internal import Synchronization

/// A model, with or without a trained adapter, that generates answers and can be evaluated.
///
/// ```swift
/// let model = try await LanguageModel.load("smollm2-135m", adapter: "runs/first/model")
/// print(try await model.generate("What is courage?").text)
/// ```
///
/// The model computes on a dedicated thread, one request at a time, so several tasks can share it.
public actor LanguageModel {
    private nonisolated let executor: ThreadExecutor
    /// The thread that the model computes on.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// The name or path given to ``load(_:adapter:dtype:weights:device:)``.
    public nonisolated let name: String
    /// Problems found so far in the files of the model or adapter, or in how they are used.
    public nonisolated var warnings: [String] { log.warnings }
    private nonisolated let log = WarningLog()
    private var model: LoadedModel?

    private init(_ name: String) {
        self.name = name
        executor = ThreadExecutor("meno.model")
    }

    deinit { executor.stop() }

    /// Loads a model.
    /// - Parameters:
    ///   - nameOrPath: a Hugging Face folder, a `.gguf` file, a Hugging Face id such as
    ///     `Qwen/Qwen3-0.6B`, or a name listed by `meno models list`. A Hub model that is not in the
    ///     cache is downloaded.
    ///   - adapter: the folder or Hugging Face id of an adapter in PEFT's format, such as `model` in
    ///     a run's folder; `nil` loads the model alone.
    ///   - dtype: the type of the weights in memory; `auto` is bfloat16.
    ///   - weights: whether weights stay packed, or are quantised while they are loaded.
    ///   - device: where to compute; `auto` uses a GPU if there is one.
    /// - Throws: ``ModelError`` or ``FormatError`` (files that are missing, damaged or not
    ///   supported), ``HubError`` (a model that cannot be downloaded), ``TokenizerError``,
    ///   ``ConfigurationError`` (no such device) or ``TorchError`` (out of memory).
    public static func load(
        _ nameOrPath: String, adapter: String? = nil, dtype: RunConfiguration.Precision = .auto,
        weights: WeightOptions = WeightOptions(), device: RunConfiguration.DeviceChoice = .auto
    ) async throws -> LanguageModel {
        let model = LanguageModel(nameOrPath)
        try await model.open(adapter: adapter, dtype: dtype, weights: weights, device: device)
        return model
    }

    private func open(
        adapter: String?, dtype: RunConfiguration.Precision, weights: WeightOptions,
        device: RunConfiguration.DeviceChoice
    ) throws {
        MenoRuntime.prepare()
        model = try LoadedModel(
            name, dtype: dtype.dtype(), device: device.device(), adapter: adapter, weights: weights.form,
            quantization: weights.weightQuantization, log: log)
    }

    private var loaded: LoadedModel {
        guard let model else { preconditionFailure("a model is only given out when it has been loaded") }
        return model
    }

    // MARK: Answers

    /// Answers a question.
    /// - Parameters:
    ///   - prompt: the user's message; the model's chat template is applied to it.
    ///   - options: length, sampling and template.
    /// - Returns: the answer. If the task is cancelled, the text so far, with the end `cancelled`.
    /// - Throws: ``ModelError`` if the prompt does not fit into the model's context or a sampling
    ///   value is out of range, ``TokenizerError`` if the chat template does not exist or rejects
    ///   the conversation, or ``TorchError``.
    public func generate(_ prompt: String, _ options: GenerationOptions = GenerationOptions()) throws -> Answer {
        try generate([ChatMessage(.user, prompt)], options)
    }

    /// Answers a conversation.
    /// - Parameters:
    ///   - messages: the conversation so far; the last turn is usually the user's.
    ///   - options: length, sampling and template.
    /// - Returns: the answer. If the task is cancelled, the text so far, with the end `cancelled`.
    /// - Throws: the same errors as ``generate(_:_:)-(String,_)``.
    public func generate(
        _ messages: [ChatMessage], _ options: GenerationOptions = GenerationOptions()
    ) throws -> Answer {
        try generate(messages, options) { _ in }
    }

    /// Answers a question piece by piece.
    /// - Parameters:
    ///   - prompt: the user's message.
    ///   - options: length, sampling and template.
    /// - Returns: pieces of the answer's text as they are generated. Leaving the loop ends the
    ///   generation. The sequence throws what ``generate(_:_:)-(String,_)`` throws.
    public nonisolated func stream(
        _ prompt: String, _ options: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<String, any Error> {
        stream([ChatMessage(.user, prompt)], options)
    }

    /// Answers a conversation piece by piece.
    /// - Parameters:
    ///   - messages: the conversation so far.
    ///   - options: length, sampling and template.
    /// - Returns: pieces of the answer's text as they are generated. Leaving the loop ends the
    ///   generation. The sequence throws what ``generate(_:_:)-(String,_)`` throws.
    public nonisolated func stream(
        _ messages: [ChatMessage], _ options: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<String, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    _ = try await generate(messages, options) { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { if case .cancelled = $0 { task.cancel() } }
        }
    }

    private func generate(
        _ messages: [ChatMessage], _ options: GenerationOptions, onText: @Sendable (String) -> Void
    ) throws -> Answer {
        let messages = (options.system.map { [ChatMessage(.system, $0)] } ?? []) + messages
        let template = try loaded.template(options.chatTemplate).with(variables: options.templateVariables)
        let room = try loaded.requireRoom(after: messages, template: template)
        return try loaded.answer(
            messages, template: template, sampling: options.sampling, maxNewTokens: min(options.maxNewTokens, room)
        ) {
            onText($0)
            return !Task.isCancelled
        }
    }

    // MARK: Evaluation

    /// Computes loss and perplexity over the records of a file.
    /// - Parameters:
    ///   - path: a file, folder or pattern of records: JSON, CSV, text or Parquet.
    ///   - options: how many records, and which tokens count.
    /// - Returns: losses in nats, per token and per example.
    /// - Throws: ``DataError`` if no record can be used, ``TokenizerError`` if the chat template
    ///   does not exist, ``TrainingError`` (`interrupted` if the task is cancelled, `outOfMemory`)
    ///   or ``TorchError``.
    public func evaluate(_ path: String, _ options: EvaluationOptions = EvaluationOptions()) throws -> Evaluation {
        try evaluate(loaded.evaluationData(of: RecordSources([DataSource([path])], seed: 0), options, log: log))
    }

    /// Computes loss and perplexity over records.
    /// - Parameters:
    ///   - records: dialogues, completions or plain texts.
    ///   - options: how many records, and which tokens count.
    /// - Returns: losses in nats, per token and per example.
    /// - Throws: the same errors as ``evaluate(_:_:)-(String,_)``.
    public func evaluate(
        _ records: [Record], _ options: EvaluationOptions = EvaluationOptions()
    ) throws -> Evaluation {
        try evaluate(loaded.evaluationData(records, options, log: log))
    }

    private func evaluate(_ data: EvaluationData) throws -> Evaluation {
        data.report.remarks.forEach(log.warn)
        return try loaded.evaluate(data.chosen, log: log) { Task.isCancelled }
    }
}

/// Collects warnings for ``LanguageModel/warnings``.
private final class WarningLog: SessionLog {
    private let kept = Mutex<[String]>([])
    var warnings: [String] { kept.withLock { $0 } }

    func note(_ text: String) {}
    func warn(_ text: String) { kept.withLock { $0.append(text) } }
}
