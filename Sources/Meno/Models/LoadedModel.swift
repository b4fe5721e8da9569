internal import Foundation
internal import MenoData
package import MenoModels
package import MenoTensor
package import MenoTokenizers
internal import MenoTraining

/// A model with its tokenizer, ready to compute.
package struct LoadedModel {
    package let name: String
    let url: URL
    package let decoder: Decoder
    let tokenized: TokenizedModel
    /// Whether it is to be trained: then any template may be chosen.
    let isTrained: Bool
    package var tokenizer: Tokenizer { tokenized.tokenizer }

    /// - Parameters:
    ///   - name: a Hugging Face folder, a .gguf file, a Hugging Face id or a name from the catalog.
    ///   - adapter: the folder or Hugging Face id of an adapter in PEFT's format.
    ///   - weights: whether quantised weights from the file stay packed.
    ///   - quantization: how to quantise linear layers; `nil`: not at all.
    ///   - generates: whether the model is loaded for generation only
    ///     (``WeightChoice/form(of:dtype:device:generates:)``).
    ///   - log: receives warnings about the model's files.
    package init(
        _ name: String, dtype: DType, device: Device, adapter: String? = nil, weights: WeightChoice = .auto,
        quantization: WeightQuantization? = nil, generates: Bool = false, log: any SessionLog
    ) throws {
        self.name = name
        isTrained = false
        url = try ModelReference.locate(name, log: log)
        if let adapter = AdapterFolder(url) { throw adapter.refusal }
        let files = try ModelFiles(url)
        if device == .cpu, dtype == .bfloat16 { try ProductChoice().apply(log: log) }
        decoder = try files.load(
            dtype: dtype, form: weights.form(of: files, dtype: dtype, device: device, generates: generates),
            quantization: quantization, device: device)
        Self.tellWhatIsPacked(decoder, quantization, log)
        let adapter = try adapter.map { try ModelReference.locateAdapter($0, log: log) }
        if let adapter, !decoder.hasPackedWeights,
            let trained = TrainedRun(of: adapter)?.configuration.model, trained.quantization != nil
        {
            let bits = trained.loadsInFourBits ? "4" : "8"
            log.note(
                "the adapter was trained on \(bits)-bit weights, and these are not: load the model in \(bits) bits too"
            )
        }
        // llama.cpp's adapter format contains no tokenizer.
        let isLlamaCpps = adapter.map(GGUFAdapterFile.isOne) ?? false
        tokenized = try TokenizedModel(url, adapter: isLlamaCpps ? nil : adapter, log: log)
        if let adapter {
            if isLlamaCpps {
                try GGUFAdapterFile.attach(adapter, to: decoder)
            } else {
                try LoRAFiles.attach(adapter, to: decoder, warn: log.warn)
            }
        }
    }

    /// A model to be trained, with a tokenizer that has already been read.
    init(
        _ name: String, _ files: ModelFiles, _ tokenized: TokenizedModel, dtype: DType, form: WeightForm,
        quantization: WeightQuantization?, computeType: DType?, device: Device, log: any SessionLog
    ) throws {
        self.name = name
        self.tokenized = tokenized
        isTrained = true
        url = files.url
        decoder = try files.load(
            dtype: dtype, form: form, quantization: quantization, computeType: computeType, device: device)
        Self.tellWhatIsPacked(decoder, quantization, log)
    }

    /// Logs how weights are held and, if some are packed, which layers are not.
    private static func tellWhatIsPacked(
        _ decoder: Decoder, _ quantization: WeightQuantization?, _ log: any SessionLog
    ) {
        let unknown = quantization?.unknownModules(of: decoder) ?? []
        if !unknown.isEmpty {
            log.warn(
                "llm_int8_skip_modules: the model has no module \(unknown.joined(separator: ", ")); "
                    + "that entry has no effect")
        }
        guard decoder.hasPackedWeights else { return }
        log.note("weights: \(decoder.precision)")
        let dense = decoder.denseLinears
        guard !dense.isEmpty else { return }
        let shown = dense.prefix(4).joined(separator: ", ") + (dense.count > 4 ? ", …" : "")
        log.note("\(dense.count) of \(decoder.linears.count) linear layers are not packed: \(shown)")
    }

    /// The adapter's `base_model_name_or_path`, by which PEFT finds the model.
    var reference: String { ModelReference.baseModel(url) }

    /// The template of a name.
    package func template(_ name: String) throws -> ChatTemplate {
        try tokenized.template(name, warnsOfOther: !isTrained)
    }

    /// Tokens that end an answer.
    func stopTokens(_ template: ChatTemplate) -> Set<Int32> {
        Set(tokenizer.endOfTurnIDs + [template.endOfTurn.flatMap(tokenizer.id), tokenizer.eosID].compactMap { $0 })
    }

    /// The model's context length in tokens.
    package var contextLength: Int { decoder.configuration.maximumPositions }

    /// How many tokens the answer to a conversation may have within the model's context. There is
    /// no room if that is below 1.
    package func room(after messages: [ChatMessage], template: ChatTemplate) throws -> Int {
        try contextLength - tokenizer.encode(template.render(messages, addGenerationPrompt: true)).ids.count
    }

    /// The same as ``room(after:template:)``.
    /// - Throws: ``ModelError`` if there is no room.
    package func requireRoom(after messages: [ChatMessage], template: ChatTemplate) throws -> Int {
        let room = try room(after: messages, template: template)
        guard room > 0 else {
            throw ModelError(
                .mismatch,
                "the prompt has \(contextLength - room) tokens; the model's context holds \(contextLength) "
                    + "including the answer.", advice: "Shorten the prompt.")
        }
        return room
    }

    /// Answers a conversation.
    /// - Parameter onText: called with each new piece of the answer; return `false` to end it.
    package func answer(
        _ messages: [ChatMessage], template: ChatTemplate, sampling: Sampling, maxNewTokens: Int,
        onText: (String) throws -> Bool = { _ in true }
    ) throws -> Answer {
        try timedAnswer(
            messages, template: template, sampling: sampling, maxNewTokens: maxNewTokens, onText: onText
        ).answer
    }

    /// Answers several conversations greedily in one batch.
    /// - Parameter isCancelled: called after each token; return `true` to end all answers.
    package func answers(
        _ conversations: [[ChatMessage]], template: ChatTemplate, maxNewTokens: Int, isCancelled: () -> Bool
    ) throws -> [Answer] {
        let prompts = try conversations.map {
            try tokenizer.encode(template.render($0, addGenerationPrompt: true)).ids
        }
        let results = try decoder.generate(
            prompts: prompts, maxNewTokens: maxNewTokens, stopTokens: stopTokens(template)
        ) { _, _ in !isCancelled() }
        return results.map { result in
            var text = StreamingText(tokenizer)
            for token in result.tokens { _ = text.append(token) }
            _ = text.finish()
            return Answer(text: text.shown, tokens: result.tokens.count, end: result.end)
        }
    }

    /// Answers a conversation and measures the time.
    /// - Parameter onText: called with each new piece of the answer; return `false` to end it.
    package func timedAnswer(
        _ messages: [ChatMessage], template: ChatTemplate, sampling: Sampling, maxNewTokens: Int,
        onText: (String) throws -> Bool = { _ in true }
    ) throws -> (answer: Answer, speed: GenerationSpeed) {
        let prompt = tokenizer.encode(try template.render(messages, addGenerationPrompt: true))
        var text = StreamingText(tokenizer)
        let clock = ContinuousClock()
        let began = clock.now
        var answering: ContinuousClock.Instant?
        func generate() throws -> (tokens: [Int32], end: GenerationEnd) {
            try decoder.generate(
                prompt: prompt.ids, maxNewTokens: maxNewTokens, stopTokens: stopTokens(template), sampling: sampling
            ) { token in
                if answering == nil { answering = clock.now }
                let piece = text.append(token)
                return try piece.isEmpty || onText(piece)
            }
        }
        let (tokens, end) = try sampling.temperature > 0 ? SharedGenerator.exclusively(generate) : generate()
        let rest = text.finish()
        if !rest.isEmpty { _ = try onText(rest) }
        let ended = clock.now
        let speed = GenerationSpeed(
            promptTokens: prompt.ids.count, promptSeconds: ((answering ?? ended) - began) / .seconds(1),
            tokens: max(0, tokens.count - 1), seconds: (ended - (answering ?? ended)) / .seconds(1))
        return (Answer(text: text.shown, tokens: tokens.count, end: end), speed)
    }
}
