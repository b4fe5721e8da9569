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
        guard !adapter.adaptsExperts else {
            throw ExportError(
                .unsupported, at: adapter.folder.path,
                "adapts experts, which Meno does not write as a llama.cpp adapter.",
                advice: "Merge it instead: export as gguf or safetensors.")
        }
        try Self.requirePossible(
            usesDoRA: adapter.settings.usesDoRA, replaced: adapter.replaced, path: adapter.folder.path)
        self.adapter = adapter
        self.model = model
    }

    /// - Parameters:
    ///   - replaced: weights or modules that are saved as a whole.
    ///   - path: of the adapter, where there is one already.
    /// - Throws: ``ExportError`` for what llama.cpp's adapters cannot hold.
    package static func requirePossible(usesDoRA: Bool, replaced: [String], path: String?) throws {
        let advice = "Merge it instead: export as gguf or ollama."
        guard !usesDoRA else {
            throw ExportError(
                .unsupported, at: path, "a DoRA adapter (use_dora) cannot be loaded by llama.cpp as an adapter.",
                advice: advice)
        }
        guard replaced.isEmpty else {
            throw ExportError(
                .unsupported, at: path,
                "whole modules (modules_to_save: \(replaced.joined(separator: ", "))) cannot be loaded by llama.cpp with an "
                    + "adapter.", advice: advice)
        }
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
        guard case .string(let name)? = try GGUFModelMetadata(of: model).pairs.first?.value else { return "" }
        return name
    }
}
