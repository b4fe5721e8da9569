package import Foundation
internal import MenoConfiguration
package import MenoExport
package import MenoFormats
package import MenoModels
internal import MenoMonitor
internal import MenoTensor
internal import MenoTokenizers
internal import MenoTraining

/// Exports a model and compares the export with the trained model, for `export`, `demo --export`
/// and `training.export_at_end`.
package struct ModelExporter {
    let model: String
    /// The folder or Hugging Face id of an adapter in PEFT's format.
    var adapter: String?
    var form: ExportForm
    var target: URL
    /// The type of tensors changed by the adapter. The others keep the type they have in the GGUF
    /// base.
    package var changedType = GGUFFileType.F16
    /// The element type of a safetensors export.
    package var elementType: WeightElementType?
    /// `nil`: the template used in training.
    package var chatTemplate: String?
    /// Records to compare with; `nil`: the run's held-out records.
    package var data: String?
    package var system: String?
    package var isForHub = false
    package var isVerified = true
    /// How weights are held while models are compared.
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

    /// - Throws: ``ExportError`` if the form cannot hold the model, or if the export behaves
    ///   differently from the trained model. Nothing is left at the target then.
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
