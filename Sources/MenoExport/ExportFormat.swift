/// What a trained model can leave as.
package enum ExportFormat: String, Sendable, CaseIterable {
    /// A Hugging Face folder.
    case safetensors
    /// One file for llama.cpp and what is built on it.
    case gguf
    /// The adapter alone, for llama.cpp's `--lora`.
    case ggufLoRA = "gguf-lora"
    /// A folder with a GGUF file and a Modelfile.
    case ollama

    package var isGGUFModel: Bool { self == .gguf || self == .ollama }
}

/// A format with what it is made of, as `gguf:Q8_0` says it.
package struct ExportForm: Sendable, Hashable, CustomStringConvertible {
    package var format: ExportFormat
    package var fileType: GGUFFileType?

    package init(_ format: ExportFormat, _ fileType: GGUFFileType? = nil) {
        self.format = format
        self.fileType = fileType
    }

    /// - Throws: ``ExportError`` with what there is.
    package init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let formats = ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")
        let types = GGUFFileType.allCases.map(\.rawValue).joined(separator: ", ")
        guard let format = ExportFormat(rawValue: parts[0]) else {
            throw ExportError(.unsupported, "\"\(text)\" is not an export format.", advice: "Formats: \(formats).")
        }
        self.format = format
        guard parts.count == 2 else { return }
        guard format.isGGUFModel, let type = GGUFFileType(rawValue: parts[1].uppercased()) else {
            throw ExportError(
                .unsupported, "\"\(text)\" is not an export format.",
                advice: "gguf: and ollama: must be followed by one of \(types).")
        }
        fileType = type
    }

    package var description: String { format.rawValue + (fileType.map { ":\($0.rawValue)" } ?? "") }
}
