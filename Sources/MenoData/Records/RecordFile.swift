package import Foundation

/// Reads the records of JSON and JSONL files.
package enum RecordFile {
    /// Reads a file, or the files of a folder or of a pattern.
    ///
    /// A file of JSON is a JSON array of records, an object with such an array as its only one (`{"data": [ … ]}`), or objects one
    /// behind the other, each on a line of its own or on several. It is in UTF-8, or in UTF-16 with a byte order mark.
    /// - Throws: ``DataError`` when the file cannot be read, holds no usable record, or holds an unfit one that the
    ///   policy does not allow.
    package static func read(
        _ url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try read(RecordSources([DataSource([url.path])], seed: 0), format: format, onInvalid: policy)
    }

    /// Reads what is in a file, where its bytes serve for more than its records.
    /// - Parameter data: from ``contents(of:)``.
    /// - Throws: ``DataError``, as ``read(_:format:onInvalid:)``.
    package static func read(
        _ data: Data, of url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try collect(
            SourceFile(data, of: url).records(), at: url.path, decoder: RecordDecoder(format: format), onInvalid: policy
        )
    }

    /// Reads the files of all sources.
    /// - Throws: ``DataError``, as ``read(_:format:onInvalid:)``.
    package static func read(
        _ sources: RecordSources, format: RecordFormat = .auto, mapping: RecordMapping = RecordMapping(),
        onInvalid policy: InvalidRecordPolicy = .skip, dropsDuplicates: Bool = false
    ) throws -> (records: [Record], report: DataReport) {
        try collect(
            sources.records(), at: sources.place, decoder: RecordDecoder(format: format, mapping: mapping),
            onInvalid: policy, dropsDuplicates: dropsDuplicates)
    }

    /// All records that a reader gives, and what was found.
    private static func collect(
        _ reader: any RecordReader, at path: String, decoder: RecordDecoder, onInvalid policy: InvalidRecordPolicy,
        dropsDuplicates: Bool = false
    ) throws -> (records: [Record], report: DataReport) {
        var reader = reader
        var collection = RecordCollection(dropsDuplicates: dropsDuplicates)
        while let raw = try reader.next() { collection.add(decoder.decode(raw), at: raw.place.description) }
        let (records, report) = collection.finished
        if policy == .stop { try report.requireFitRecords(path: path) }
        guard !records.isEmpty else { throw nothingUsable(report, path) }
        return (records, report)
    }

    static func nothingUsable(_ report: DataReport, _ path: String) -> DataError {
        guard let first = report.problems.first else {
            return DataError(.empty, at: path, "holds no records.")
        }
        return DataError(
            .empty, at: path,
            "holds no usable record: \(report.summary). The first: \(first.place) \(first.reason)",
            advice: "Known shapes: \"messages\", \"conversations\", \"prompt\"/\"completion\", "
                + "\"prompt\"/\"chosen\"/\"rejected\", \"text\", \"instruction\"/\"output\", \"question\"/\"answer\".")
    }

    /// The bytes of a file, mapped into memory where that can be.
    /// - Throws: ``DataError`` when it cannot be read.
    package static func contents(of url: URL) throws -> Data {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw DataError(
                .notFound, at: url.path, "does not exist.", advice: "Check the path of the data.", settings: [.dataPath]
            )
        }
        guard !isFolder.boolValue else {
            throw DataError(.malformed, at: url.path, "is a folder.", advice: "Give a .json or .jsonl file in it.")
        }
        do {
            var information = stat()
            guard stat(url.path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
                // A pipe can only be opened once and read from its beginning to its end.
                return try FileHandle(forReadingFrom: url).readToEnd() ?? Data()
            }
            return try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            throw DataError(.notFound, at: url.path, "cannot be read (\(error.localizedDescription)).")
        }
    }
}
