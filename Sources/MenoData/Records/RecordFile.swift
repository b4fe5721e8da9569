public import Foundation

/// Reads the records of JSON and JSONL files.
public enum RecordFile {
    /// What happens when a record is unfit.
    public enum InvalidRecordPolicy: String, Sendable, Hashable, CaseIterable {
        /// It is left out, counted and reported.
        case skip
        /// Reading ends with an error that lists every such record.
        case stop
    }

    /// Reads a file.
    ///
    /// A file is a JSON array of records, or has a record a line.
    /// - Throws: ``DataError`` when the file cannot be read, holds no usable record, or holds an unfit one that the
    ///   policy does not allow.
    public static func read(
        _ url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try read(contents(of: url), of: url, format: format, onInvalid: policy)
    }

    /// Reads what is in a file, where its bytes serve for more than its records.
    /// - Parameter data: from ``contents(of:)``.
    /// - Throws: ``DataError``, as ``read(_:format:onInvalid:)``.
    public static func read(
        _ data: Data, of url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        var decoder = RecordDecoder(format: format)
        var report = DataReport()
        var records: [Record] = []
        for (place, range) in try elements(of: data, url) {
            report.total += 1
            do throws(RecordDecoder.Rejection) {
                records.append(try decoder.decode(data.subdata(in: range), place: place))
            } catch {
                report.problems.append(.init(place: place, kind: error.kind, reason: error.reason))
            }
        }
        if policy == .stop { try report.requireFitRecords(path: url.path) }
        guard !records.isEmpty else { throw nothingUsable(report, url) }
        for (key, count) in decoder.ignored.sorted(by: { $0.key < $1.key }) {
            report.remarks.append("\"\(key)\" of dialogues is not trained on (records that have it: \(count)).")
        }
        return (records, report)
    }

    private static func nothingUsable(_ report: DataReport, _ url: URL) -> DataError {
        guard let first = report.problems.first else {
            return DataError(.empty, path: url.path, "holds no records.")
        }
        return DataError(
            .empty, path: url.path,
            "holds no usable record: \(report.summary). The first: \(first.place) \(first.reason)",
            advice: "Known shapes: \"messages\", \"conversations\", \"prompt\"/\"completion\", \"text\".")
    }

    /// The bytes of a file, mapped into memory where that can be.
    /// - Throws: ``DataError`` when it cannot be read.
    public static func contents(of url: URL) throws -> Data {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw DataError(.notFound, path: url.path, "does not exist.", advice: "Check `data.path` or --data.")
        }
        guard !isFolder.boolValue else {
            throw DataError(.malformed, path: url.path, "is a folder.", advice: "Give a .json or .jsonl file in it.")
        }
        do {
            var information = stat()
            guard stat(url.path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
                // A pipe can only be opened once and read from its beginning to its end.
                return try FileHandle(forReadingFrom: url).readToEnd() ?? Data()
            }
            return try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            throw DataError(.notFound, path: url.path, "cannot be read (\(error.localizedDescription)).")
        }
    }

    /// The places and byte ranges of the records.
    private static func elements(of data: Data, _ url: URL) throws -> [(String, Range<Int>)] {
        try data.withUnsafeBytes { all in
            let mark = all.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
            let bytes = UnsafeRawBufferPointer(rebasing: all[mark...])
            let first = bytes.first { !JSONArrayElements.isSpace($0) }
            let isLines = ["jsonl", "ndjson"].contains(url.pathExtension.lowercased())
            if first == UInt8(ascii: "{") { return lines(bytes, offset: mark) }
            do throws(JSONArrayElements.Failure) {
                return try JSONArrayElements.ranges(in: bytes).enumerated().map {
                    ("record \($0.offset)", $0.element.lowerBound + mark..<$0.element.upperBound + mark)
                }
            } catch {
                // A file of lines may be an array all the same, whatever its name says; else its lines are told one by one.
                if isLines { return lines(bytes, offset: mark) }
                throw failure(error, url)
            }
        }
    }

    private static func lines(_ bytes: UnsafeRawBufferPointer, offset: Int) -> [(String, Range<Int>)] {
        var lines: [(String, Range<Int>)] = []
        var (start, number) = (0, 0)
        while start < bytes.count {
            number += 1
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            if !bytes[start..<end].allSatisfy(JSONArrayElements.isSpace) {
                lines.append(("line \(number)", start + offset..<end + offset))
            }
            start = end + 1
        }
        return lines
    }

    private static func failure(_ failure: JSONArrayElements.Failure, _ url: URL) -> DataError {
        switch failure {
        case .noArray:
            DataError(
                .malformed, path: url.path, "is neither a JSON array nor lines of JSON objects.",
                advice: "Expected [ {…}, {…} ], or a .jsonl file with one object a line.")
        case .unclosed(let elements):
            DataError(
                .malformed, path: url.path, "ends inside its array, after \(elements) whole records.",
                advice: "Was the file cut off while it was copied?")
        case .trailing(let offset):
            DataError(.malformed, path: url.path, "has more text after the end of its array, at byte \(offset).")
        }
    }
}
