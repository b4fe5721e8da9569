package import Foundation
internal import MenoFormats
package import MenoModels

/// Writes an adapter as llama.cpp loads it (`--lora`): pairs of `NAME.lora_a` and `NAME.lora_b` in float32.
///
/// llama.cpp scales each change by α / r, with r of the tensors and one α for all. Where ranks are stabilised, or layers have
/// scales of their own, α and B are such that the change is the same.
package struct GGUFAdapterExport {
    package let adapter: StoredAdapter
    package let model: StoredModel

    /// - Throws: ``ExportError`` for what llama.cpp's adapters cannot hold.
    package init(_ adapter: StoredAdapter, of model: StoredModel) throws {
        let advice = "Merge it instead: --format gguf, or ollama."
        guard !adapter.settings.usesDoRA else {
            throw ExportError(
                .unsupported, path: adapter.folder.path,
                "is a DoRA adapter (use_dora), which llama.cpp cannot load as an adapter.", advice: advice)
        }
        guard !adapter.adaptsExperts else {
            throw ExportError(
                .unsupported, path: adapter.folder.path,
                "adapts experts, which Meno does not write as a llama.cpp adapter.",
                advice: "Merge it instead: --format safetensors.")
        }
        guard adapter.replaced.isEmpty else {
            throw ExportError(
                .unsupported, path: adapter.folder.path,
                "holds whole modules (modules_to_save: \(adapter.replaced.joined(separator: ", "))), which llama.cpp "
                    + "cannot load with an adapter.", advice: advice)
        }
        self.adapter = adapter
        self.model = model
    }

    /// - Returns: the bytes of the file.
    package func write(to url: URL, name: String) throws -> Int {
        let form = GGUFForm(model.configuration)
        let changes = try model.parameters.compactMap { parameter in
            try adapter.change(of: parameter).map { (parameter, $0) }
        }
        guard let first = changes.first?.1 else { return 0 }
        let alpha = Float(first.scaling * Double(first.rank))
        let entries = changes.flatMap { parameter, change -> [GGUFWriter.Entry] in
            let name = form.name(of: parameter.name)
            return [
                .init("\(name).lora_a", .F32, change.shapes.down), .init("\(name).lora_b", .F32, change.shapes.up),
            ]
        }
        let architecture = try architecture()
        let writer = try GGUFWriter(
            to: url,
            metadata: [
                ("general.architecture", .string(architecture)), ("general.type", .string("adapter")),
                ("general.name", .string(name)), ("general.file_type", .uint32(GGUFFileType.F32.number)),
                ("adapter.type", .string("lora")), ("adapter.lora.alpha", .float32(alpha)),
            ], tensors: entries)
        for (parameter, change) in changes {
            let name = form.name(of: parameter.name)
            try change.downValues().withUnsafeBytes { try writer.write("\(name).lora_a", $0) }
            var up = try change.upValues()
            let factor = Float(change.scaling * Double(change.rank) / Double(alpha))
            if factor != 1 { for index in up.indices { up[index] *= factor } }
            form.write(parameter.name, &up, columns: change.rank, rows: parameter.rows)
            try up.withUnsafeBytes { try writer.write("\(name).lora_b", $0) }
        }
        try writer.finish(synchronize: true)
        return writer.fileSize
    }

    private func architecture() throws -> String {
        if let gguf = model.gguf { return try gguf.metadata.string("general.architecture") }
        guard case .string(let name)? = try model.configuration.ggufMetadata().first?.value else { return "" }
        return name
    }
}
