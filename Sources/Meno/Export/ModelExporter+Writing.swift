internal import Foundation
internal import MenoExport
internal import MenoModels
internal import MenoTokenizers

extension ModelExporter {
    /// What has been written, and where.
    struct Written {
        var file: String
        var bytes: Int
        var storage = ""
        var coarsest: ExportVerification.Storage
    }

    func write(_ subject: Subject, _ merged: MergedModel, to stage: ExportStage) throws -> Written {
        let written: Written
        switch form.format {
        case .safetensors: written = try writeFolder(subject, merged, to: stage)
        case .gguf, .ollama: written = try writeGGUF(subject, merged, to: stage)
        case .ggufLoRA:
            guard let adapter = merged.adapter else {
                throw ExportError(
                    .unsupported, "gguf-lora exports an adapter, and none is given.", settings: [.adapter])
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
            log.warn("the model computes \(note) and llama.cpp does not: its answers to long texts will differ")
        }
        for fallback in report.fallbacks {
            log.warn(
                "\(fallback.tensors) tensors are \(fallback.type) instead of \(fallback.wanted), as in llama.cpp: their row length "
                    + "is not a multiple of the block size")
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
            weights: file, template: subject.template, stops: ends.sorted().compactMap(tokenizer.token),
            system: system)
        try stage.write(modelfile.text, to: "Modelfile")
        log.note("create the Ollama model with: ollama create \(subject.name) -f Modelfile (untested with Ollama)")
    }

    private func writeCard(_ subject: Subject, _ merged: MergedModel, _ written: Written, to stage: ExportStage) throws
    {
        var card = ModelCard(
            name: subject.name,
            base: ModelReference.withoutRevision(subject.run?.configuration.model.nameOrPath ?? model))
        card.isGGUF = form.format != .safetensors
        card.isAdapter = form.format == .ggufLoRA
        card.isQuantized = ![.float32, .float16, .bfloat16].contains(written.coarsest)
        card.license = ModelCard.license(of: subject.url)
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
}
