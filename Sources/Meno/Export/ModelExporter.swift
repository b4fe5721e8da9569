package import Foundation
internal import MenoConfiguration
package import MenoExport
package import MenoFormats
internal import MenoModels
internal import MenoMonitor
internal import MenoTensor
internal import MenoTokenizers

/// Makes an export and compares it with the trained model; what `export`, `demo --export` and `training.export_at_end` do.
package struct ModelExporter {
    let model: String
    /// The folder of an adapter in PEFT's form.
    var adapter: String?
    var form: ExportForm
    var target: URL
    /// The type of tensors that the adapter changes, where the others stay as a GGUF base has them.
    package var changedType = GGUFFileType.F16
    /// Of safetensors.
    package var elementType: WeightElementType?
    /// `nil`: the one trained with.
    package var chatTemplate: String?
    /// Records to compare with; `nil`: those held out from training.
    package var data: String?
    package var system: String?
    package var isForHub = false
    package var isVerified = true
    var log: any SessionLog

    package init(model: String, adapter: String? = nil, form: ExportForm, target: URL, log: any SessionLog) {
        self.log = log
        self.model = model
        self.adapter = adapter
        self.form = form
        self.target = target
    }

    /// What is exported: names, tokenizer, template.
    private struct Subject {
        let url: URL
        let name: String
        let tokenized: TokenizedModel
        let template: ChatTemplate?
        let templateName: String
        let run: TrainedRun?
        var tokenizer: Tokenizer { tokenized.tokenizer }
        var endOfTurn: TokenID? { template?.endOfTurn.flatMap(tokenizer.id) }
    }

    /// - Throws: ``ExportError`` where the form cannot hold the model, or does not do what the trained model does. Then
    ///   nothing is left at the target.
    package func run() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let subject = try subject()
        let stored = try StoredModel(subject.url)
        let storedAdapter = try adapter.map { try StoredAdapter(URL(filePath: $0), for: stored) }
        let merged = MergedModel(stored, storedAdapter)
        let stage = try ExportStage(for: target)
        let written = try write(subject, merged, to: stage)
        let seconds = (clock.now - start) / .seconds(1)
        log.note(
            "\(form): \(written.bytes) bytes in \(String(format: "%.1f", seconds)) s"
                + (written.storage.isEmpty ? "" : ", tensors: \(written.storage)"))
        if isVerified { try verify(subject, merged, written, stage) }
        try stage.finish(file: isOneFile ? written.file : nil)
        if isForHub { log.note("upload it with: hf upload YOUR_NAME/\(subject.name) \(target.path) .") }
    }

    /// Whether the target is a file rather than a folder.
    private var isOneFile: Bool {
        (form.format == .gguf || form.format == .ggufLoRA) && target.pathExtension.lowercased() == "gguf" && !isForHub
    }

    private func subject() throws -> Subject {
        let url = try CatalogModel.locate(model, log: log)
        let folder = adapter.map { URL(filePath: $0) }
        if let found = AdapterFolder(url) { throw found.refusal }
        let run = TrainedRun(of: folder ?? url)
        let tokenized = try TokenizedModel(url, adapter: folder, log: log)
        let saved = folder?.appending(path: TokenizerFiles.templateName).path
        let hasSaved = saved.map { FileManager.default.fileExists(atPath: $0) } ?? false
        // What lies beside an adapter is what it was trained with; `auto` takes it.
        let chosen = chatTemplate ?? (hasSaved ? nil : run?.configuration.data.chatTemplate)
        let name = chosen ?? "auto"
        // A model without a template can leave too, as one that was trained on texts; one that was asked for must be there.
        let template =
            name == "auto"
            ? try? tokenized.template(name, warnsOfOther: false) : try tokenized.template(name, warnsOfOther: false)
        return Subject(
            url: url, name: exportName(run), tokenized: tokenized, template: template, templateName: name, run: run)
    }

    private func exportName(_ run: TrainedRun?) -> String {
        if let name = run?.configuration.runName { return name }
        let name = target.deletingPathExtension().lastPathComponent
        return name.isEmpty ? "model" : name
    }

    // MARK: Writing

    private struct Written {
        var file: String
        var bytes: Int
        var storage = ""
        var coarsest: ExportVerification.Storage
    }

    private func write(_ subject: Subject, _ merged: MergedModel, to stage: ExportStage) throws -> Written {
        let written: Written
        switch form.format {
        case .safetensors: written = try writeFolder(subject, merged, to: stage)
        case .gguf, .ollama: written = try writeGGUF(subject, merged, to: stage)
        case .ggufLoRA:
            guard let adapter = merged.adapter else {
                throw ExportError(.unsupported, "gguf-lora is the form of an adapter: give one with --adapter.")
            }
            let file =
                target.pathExtension.lowercased() == "gguf" ? target.lastPathComponent : "\(subject.name)-lora.gguf"
            let bytes = try GGUFAdapterExport(adapter, of: merged.model).write(to: stage.url(file), name: subject.name)
            written = Written(file: file, bytes: bytes, coarsest: .float32)
        }
        if !isOneFile { try writeCard(subject, merged, written, to: stage) }
        return written
    }

    private func writeFolder(_ subject: Subject, _ merged: MergedModel, to stage: ExportStage) throws -> Written {
        let export = HuggingFaceExport(merged, elementType: elementType)
        try TokenizerFolderExport(
            subject.url, tokenizerSource: subject.tokenized.url, tokenizer: subject.tokenizer,
            template: subject.template,
            rows: merged.model.configuration.vocabularySize
        ).write(to: stage)
        let bytes = try export.write(to: stage, onProgress: progress)
        let coarsest: ExportVerification.Storage =
            switch export.elementType {
            case .float32: .float32
            case .float16: .float16
            case .bfloat16: .bfloat16
            }
        return Written(file: "", bytes: bytes, storage: "all \(export.elementType)", coarsest: coarsest)
    }

    private func writeGGUF(_ subject: Subject, _ merged: MergedModel, to stage: ExportStage) throws -> Written {
        let isFromGGUF = merged.model.gguf != nil
        let fileType = form.fileType ?? (isFromGGUF ? nil : .F16)
        let tokenizer =
            isFromGGUF
            ? GGUFVocabularyExport.template(
                subject.template?.source, endOfTurn: subject.endOfTurn, tokenizer: subject.tokenizer)
            : try GGUFVocabularyExport(
                subject.tokenized.url.appending(path: "tokenizer.json"), tokenizer: subject.tokenizer,
                rows: merged.model.configuration.vocabularySize
            ).metadata(template: subject.template?.source, endOfTurn: subject.endOfTurn)
        let file =
            target.pathExtension.lowercased() == "gguf" && form.format == .gguf
            ? target.lastPathComponent : "\(subject.name)-\(fileType?.rawValue ?? "base").gguf"
        let export = try GGUFExport(
            merged, fileType: fileType, changedType: changedType, tokenizer: tokenizer, name: subject.name)
        let report = try export.write(to: stage.url(file), onProgress: progress)
        for note in report.notes {
            log.warn("the model computes \(note), llama.cpp does not: it answers longer texts otherwise")
        }
        for fallback in report.fallbacks {
            log.warn(
                "\(fallback.tensors) tensors are \(fallback.type) instead of \(fallback.wanted), as llama.cpp has it: their rows "
                    + "are no whole number of its blocks")
        }
        let storage = report.storage.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(
            separator: ", ")
        if form.format == .ollama { try writeModelfile(subject, file, to: stage) }
        return Written(
            file: file, bytes: report.bytes,
            storage: storage + (report.copied > 0 ? " (\(report.copied) unchanged)" : ""),
            coarsest: .init(fileType ?? changedType))
    }

    private func writeModelfile(_ subject: Subject, _ file: String, to stage: ExportStage) throws {
        let tokenizer = subject.tokenizer
        let ends = Set(tokenizer.endOfTurnIDs + [subject.endOfTurn].compactMap { $0 })
        let modelfile = OllamaModelfile(
            weights: file, template: subject.template ?? .chatML, stops: ends.sorted().compactMap(tokenizer.token),
            system: system)
        try stage.write(modelfile.text, to: "Modelfile")
        log.note("make it a model of Ollama with: ollama create \(subject.name) -f Modelfile (untested with Ollama)")
    }

    private func writeCard(_ subject: Subject, _ merged: MergedModel, _ written: Written, to stage: ExportStage) throws
    {
        var card = ModelCard(name: subject.name, base: subject.run?.configuration.model.nameOrPath ?? model)
        card.isGGUF = form.format != .safetensors
        card.dataHash = subject.run?.dataHash
        card.settings = subject.run?.settings ?? []
        card.metrics = subject.run?.metrics ?? []
        card.notes = ["format: \(form)" + (written.storage.isEmpty ? "" : ", \(written.storage)")]
        if let template = subject.template { card.notes.append("chat template: \(template)") }
        try stage.write(card.text, to: "README.md")
        if isForHub {
            try stage.write(
                ["*.safetensors", "*.gguf", "tokenizer.json"].map { "\($0) filter=lfs diff=lfs merge=lfs -text\n" }
                    .joined(),
                to: ".gitattributes")
        }
    }

    private func progress(_ share: Double) {
        log.progress("exporting \(Int(100 * share)) %")
    }

    // MARK: Comparing

    /// Texts of at most so many tokens are compared, and so many of them.
    private static let (sampleLength, sampleCount) = (256, 4)

    private func verify(_ subject: Subject, _ merged: MergedModel, _ written: Written, _ stage: ExportStage) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let exported = form.format == .safetensors ? stage.folder : stage.url(written.file)
        if form.format != .ggufLoRA {
            try ExportVerification.compareTexts(
                template: subject.template, tokenizer: subject.tokenizer, exported: Tokenizer.load(exported))
        }
        let samples = try samples(subject)
        guard !samples.isEmpty else { return }
        // One model at a time is in memory.
        let (base, trained) = try losses(subject, samples)
        let found = try exportedLosses(subject, exported, samples)
        let outcome = try ExportVerification.compare(
            trained: trained, exported: found, base: base, storage: written.coarsest)
        let number = { (value: Double) in String(format: "%.4f", value) }
        var text =
            "compared on \(samples.count) texts: loss \(number(outcome.exported)), trained \(number(outcome.trained)), largest "
            + "difference \(number(outcome.largestDifference)) (bound \(outcome.bound))"
        if let share = outcome.learntShare {
            text += "; \(Int((100 * share).rounded())) % of what was learnt is there"
        }
        log.note(text + "; \(String(format: "%.1f", (clock.now - start) / .seconds(1))) s")
        if let share = outcome.learntShare, share < 0.9 {
            log.warn("only \(Int(100 * share)) % of what was learnt is in \(form): a finer type keeps more")
        }
    }

    private func losses(
        _ subject: Subject, _ samples: [ExportVerification.Sample]
    ) throws -> (base: [Double]?, trained: [Double]) {
        let decoder = try ModelFiles(subject.url).load(dtype: precision(subject.url))
        let base = adapter == nil ? nil : try ExportVerification.losses(of: decoder, samples)
        if let adapter {
            try LoRAFiles.attach(URL(filePath: adapter), to: decoder)
        }
        return (base, try ExportVerification.losses(of: decoder, samples))
    }

    private func exportedLosses(
        _ subject: Subject, _ exported: URL, _ samples: [ExportVerification.Sample]
    ) throws -> [Double] {
        let isAdapter = form.format == .ggufLoRA
        let url = isAdapter ? subject.url : exported
        let decoder = try ModelFiles(url).load(dtype: precision(subject.url))
        if isAdapter { try GGUFAdapterFile.attach(exported, to: decoder) }
        return try ExportVerification.losses(of: decoder, samples)
    }

    /// Large models are compared in bfloat16, which halves the memory and is exact to about a thousandth.
    private func precision(_ url: URL) throws -> DType {
        try ModelFiles(url).parameterCount > 2_000_000_000 ? .bfloat16 : .float32
    }

    private func samples(_ subject: Subject) throws -> [ExportVerification.Sample] {
        let limit = Self.sampleCount
        var samples: [ExportVerification.Sample] = []
        if let data {
            samples = try TrainedRun.examples(
                URL(filePath: data), template: subject.templateName, subject.tokenized, maxLength: Self.sampleLength
            ).prefix(limit).map { .init(ids: $0.ids, labels: $0.labels) }
        } else if let run = subject.run, FileManager.default.fileExists(atPath: run.configuration.data.path) {
            do {
                samples = try run.heldOut(limit: limit, subject.tokenized)
            } catch {
                log.warn("the run's data cannot be compared with (\(error)); questions that Meno brings along are used")
            }
        }
        if samples.isEmpty { samples = try questions(subject) }
        return samples.map {
            .init(ids: Array($0.ids.prefix(Self.sampleLength)), labels: Array($0.labels.prefix(Self.sampleLength)))
        }.filter { $0.labels.dropFirst().contains { $0 >= 0 } }
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

extension ExportVerification.Storage {
    init(_ type: GGUFFileType) {
        self =
            switch type {
            case .F32: .float32
            case .F16: .float16
            case .BF16: .bfloat16
            case .Q8_0: .eightBits
            case .Q6_K: .sixBits
            case .Q5_K_M: .fiveBits
            case .Q4_0, .Q4_K_M: .fourBits
            }
    }
}
