package import Foundation

extension RecordFile {
    /// What the names of files of records end with.
    package static let extensions = ["json", "jsonl", "ndjson"]

    /// Looks into a file whose name does not end like that of a file of records.
    /// - Throws: ``DataError`` where it holds no JSON, with how to make records of it.
    package static func requireJSON(_ data: Data, of url: URL) throws {
        let kind = url.pathExtension.lowercased()
        guard !extensions.contains(kind) else { return }
        let start = data.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
        if let start, [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(start) { return }
        throw DataError(
            .malformed, at: url.path, "is no file of records: they are JSON lines (.jsonl) or a JSON array (.json).",
            advice: advice(kind))
    }

    private static func advice(_ kind: String) -> String {
        let library = ["csv": "csv", "tsv": "csv", "parquet": "parquet", "arrow": "arrow", "txt": "text"]
        switch kind {
        case "csv", "tsv", "parquet", "arrow", "txt":
            let options = kind == "tsv" ? ", sep=\"\\t\"" : ""
            return "Convert it with Hugging Face's datasets: load_dataset(\"\(library[kind] ?? kind)\", "
                + "data_files=\"FILE\"\(options))[\"train\"].to_json(\"data.jsonl\")."
        case "gz", "zst", "xz", "bz2", "zip", "tar", "tgz": return "Unpack it first."
        default:
            return "Known shapes of a record: \"messages\", \"conversations\", \"prompt\"/\"completion\", \"text\"."
        }
    }
}
