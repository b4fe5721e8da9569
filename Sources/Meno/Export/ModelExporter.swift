package import Foundation
internal import MenoConfiguration
package import MenoExport
package import MenoFormats
package import MenoModels
internal import MenoMonitor
internal import MenoTensor
internal import MenoTokenizers
internal import MenoTraining

/// Makes an export and compares it with the trained model; what `export`, `demo --export` and `training.export_at_end` do.
package struct ModelExporter {
    let model: String
    /// The folder, or the Hugging Face id, of an adapter in PEFT's form.
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
    /// How the models that are compared are held.
    package var weights = WeightChoice.auto
    package var quantization: WeightQuantization?
    var log: any SessionLog

    package init(model: String, adapter: String? = nil, form: ExportForm, target: URL, log: any SessionLog) {
        self.log = log
        self.model = model
        self.adapter = adapter
        self.form = form
        self.target = target
    }

    /// - Throws: ``ExportError`` where the form cannot hold the model, or does not do what the trained model does. Then
    ///   nothing is left at the target.
    package func run() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let subject = try subject()
        let stored = try StoredModel(subject.url)
        let storedAdapter = try subject.adapter.map { try StoredAdapter($0, for: stored) }
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
    var isOneFile: Bool {
        (form.format == .gguf || form.format == .ggufLoRA) && target.pathExtension.lowercased() == "gguf" && !isForHub
    }
}
