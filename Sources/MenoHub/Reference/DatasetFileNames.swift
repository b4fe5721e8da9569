/// The files of a dataset's repository that Meno reads.
enum DatasetFileNames {
    private static let kinds = ["json", "jsonl", "ndjson", "csv", "tsv", "parquet", "pq", "txt", "text"]
    private static let packings = ["gz", "zst"]
    /// What the hub writes when all files of a choice are there: the name of a file that no repository has.
    private static let mark = ".meno-missing"

    /// - Throws: ``HubError`` where the repository has none.
    static func chosen(_ reference: HubReference, _ names: [String]) throws -> [String] {
        let files = names.filter { isOfRecords($0) && isSelected($0, reference.selector) }
        guard files.isEmpty else { return files }
        let what = reference.selector.map { " at \($0)" } ?? ""
        throw HubError(
            .unsupported, at: reference.description,
            "has no files of records\(what): no .json, .jsonl, .csv, .tsv, .parquet or .txt.",
            advice: "Datasets that a program makes cannot be read; many have a revision `refs/convert/parquet`.")
    }

    /// Marks that nothing of a choice is missing in the cache.
    static func completionMark(_ reference: HubReference) -> String {
        reference.selector.map { "\(mark)-\($0.replacing("/", with: "-"))" } ?? mark
    }

    static func isSelected(_ name: String, _ selector: String?) -> Bool {
        selector.map { name == $0 || name.hasPrefix($0 + "/") } ?? true
    }

    static func isOfRecords(_ name: String) -> Bool {
        let parts = name.split(separator: "/")
        guard !parts.contains(where: { $0.hasPrefix(".") || $0.hasPrefix("_") }) else { return false }
        var ends = (parts.last ?? "").lowercased().split(separator: ".").dropFirst().map(String.init)
        if let last = ends.last, packings.contains(last) { ends.removeLast() }
        return ends.last.map(kinds.contains) ?? false
    }
}
