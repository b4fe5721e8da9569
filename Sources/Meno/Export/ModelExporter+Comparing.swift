internal import Foundation
internal import MenoData
internal import MenoExport
internal import MenoModels
internal import MenoMonitor
internal import MenoTensor
internal import MenoTokenizers
internal import MenoTraining

extension ModelExporter {
    /// The maximum length in tokens of the compared texts, and how many are compared.
    private static let (sampleLength, sampleCount) = (256, 4)

    /// Compares what was written with the trained model.
    func verify(_ subject: Subject, _ merged: MergedModel, _ written: Written, _ stage: ExportStage) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let exported = form.format == .safetensors ? stage.folder : stage.url(written.file)
        if form.format != .ggufLoRA {
            try ExportVerification.compareTexts(
                template: subject.template, tokenizer: subject.tokenizer, exported: Tokenizer.load(exported))
        }
        let share = try form.format == .ggufLoRA ? nil : merged.changeShare(in: StoredModel(exported))
        try ExportVerification.requireChange(share, storage: written.coarsest)
        let samples = try samples(subject)
        guard !samples.isEmpty, try hasMemory(for: subject.url) else { return }
        // Only one model is in memory at a time.
        let (base, trained) = try losses(subject, samples)
        let found = try exportedLosses(subject, exported, samples)
        let outcome = try ExportVerification.compare(
            trained: trained, exported: found, base: base, storage: coarsest(written.coarsest))
        let number = { (value: Double) in String(format: "%.4f", value) }
        var text =
            "compared on \(samples.count) texts: loss \(number(outcome.exported)), trained model \(number(outcome.trained)), largest "
            + "difference \(number(outcome.largestDifference)) (bound \(outcome.bound))"
        if let share { text += String(format: "; the weights hold %.1f %% of the adapter's change", 100 * share.value) }
        if let share = outcome.learntShare {
            text += "; \(Int((100 * share).rounded())) % of what was learnt is there"
        }
        log.note(text + "; \(String(format: "%.1f", (clock.now - start) / .seconds(1))) s")
        if let share = outcome.learntShare, share < 0.9 {
            log.warn("\(form) keeps only \(Int(100 * share)) % of what was learnt: choose a type with more bits")
        }
    }

    /// Whether there is memory to load a whole model, which the export does not need.
    private func hasMemory(for url: URL) throws -> Bool {
        let bytes = try ModelFiles(url).parameterCount * precision(url).size
        guard let free = MemoryLimit.available(on: .cpu), bytes + bytes / 4 > free else { return true }
        log.warn(
            "the weights and texts match the trained model, but losses were not compared: that needs "
                + String(
                    format: "%.1f GB of memory, and %.1f GB are free", 1.25e-9 * Double(bytes), 1e-9 * Double(free)))
        return false
    }

    private func losses(
        _ subject: Subject, _ samples: [ExportVerification.Sample]
    ) throws -> (base: [Double]?, trained: [Double]) {
        let decoder = try load(subject.url, like: subject)
        let base = subject.adapter == nil ? nil : try ExportVerification.losses(of: decoder, samples)
        if let adapter = subject.adapter { try LoRAFiles.attach(adapter, to: decoder) }
        return (base, try ExportVerification.losses(of: decoder, samples))
    }

    private func exportedLosses(
        _ subject: Subject, _ exported: URL, _ samples: [ExportVerification.Sample]
    ) throws -> [Double] {
        let isAdapter = form.format == .ggufLoRA
        let url = isAdapter ? subject.url : exported
        let decoder = try load(url, like: subject, isQuantized: isAdapter)
        if isAdapter { try GGUFAdapterFile.attach(exported, to: decoder) }
        return try ExportVerification.losses(of: decoder, samples)
    }

    /// Loads a model for the comparison.
    /// - Parameter isQuantized: whether to quantise it as the trained model was.
    private func load(_ url: URL, like subject: Subject, isQuantized: Bool = true) throws -> Decoder {
        let (files, dtype) = (try ModelFiles(url), try precision(subject.url))
        let form = files.hasPackedWeights() ? weights.form(of: files, dtype: dtype, device: .cpu) : .dense
        return try files.load(dtype: dtype, form: form, quantization: isQuantized ? quantization : nil)
    }

    /// The precision whose rounding is at least as coarse as the export's storage.
    private func coarsest(_ storage: ExportVerification.Storage) -> ExportVerification.Storage {
        switch quantization?.kind {
        case nil: storage
        case .fourBits: .fourBits
        case .eightBits: storage == .fourBits || storage == .fiveBits || storage == .sixBits ? storage : .eightBits
        }
    }

    /// Large models are compared in bfloat16, which halves the memory and is exact to about a thousandth.
    private func precision(_ url: URL) throws -> DType {
        try ModelFiles(url).parameterCount > 2_000_000_000 ? .bfloat16 : .float32
    }

    private func samples(_ subject: Subject) throws -> [ExportVerification.Sample] {
        let limit = Self.sampleCount
        var samples: [ExportVerification.Sample] = []
        if let data {
            samples = try firstExamples(of: data, subject, limit: limit).map { .init(ids: $0.ids, labels: $0.labels) }
        } else if let run = subject.run {
            do {
                samples = try run.heldOut(limit: limit, subject.tokenized, log: log)
            } catch {
                log.warn("the run's data cannot be read (\(error)); built-in questions are used for the comparison")
            }
        }
        if samples.isEmpty {
            log.note("no held-out records are available; built-in questions are used for the comparison")
            samples = try questions(subject)
        }
        return samples.map {
            .init(ids: Array($0.ids.prefix(Self.sampleLength)), labels: Array($0.labels.prefix(Self.sampleLength)))
        }.filter { $0.labels.dropFirst().contains { $0 >= 0 } }
    }

    /// The first examples of data that was named for the comparison.
    private func firstExamples(of data: String, _ subject: Subject, limit: Int) throws -> [Example] {
        let choice = subject.tokenized.choose(subject.templateName, warnsOfOther: false)
        var builder = ExampleBuilder(
            tokenizer: subject.tokenizer, template: choice.template, maxLength: Self.sampleLength)
        builder.templateFault = choice.fault
        let preparation = ExamplePreparation(decoder: RecordDecoder(format: .auto), builder: builder)
        let sources = try RecordSources([DataSource([data])], seed: 0)
        return try preparation.first(limit, of: sources)
    }

    /// Questions that Meno brings along, where the data is not at hand.
    private func questions(_ subject: Subject) throws -> [ExportVerification.Sample] {
        try ProbeQuestions.japanese.prefix(Self.sampleCount).map { question in
            let ids =
                try subject.template.map {
                    subject.tokenizer.encode(try $0.render([ChatMessage(.user, question)], addGenerationPrompt: true))
                        .ids
                } ?? subject.tokenizer.encode(question, addSpecialTokens: true).ids
            return .init(ids: ids, labels: ids)
        }
    }
}
