package import Foundation
internal import MenoFormats

/// Reads the records of JSON and JSONL files.
package enum RecordFile {
    /// Reads a file.
    ///
    /// A file is a JSON array of records, an object with such an array as its only one (`{"data": [ … ]}`), or objects one
    /// behind the other, each on a line of its own or on several. It is in UTF-8, or in UTF-16 with a byte order mark.
    /// - Throws: ``DataError`` when the file cannot be read, holds no usable record, or holds an unfit one that the
    ///   policy does not allow.
    package static func read(
        _ url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try read(contents(of: url), of: url, format: format, onInvalid: policy)
    }

    /// Reads what is in a file, where its bytes serve for more than its records.
    /// - Parameter data: from ``contents(of:)``.
    /// - Throws: ``DataError``, as ``read(_:format:onInvalid:)``.
    package static func read(
        _ data: Data, of url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        guard let text = TextEncodings.utf8(data) else {
            throw DataError(
                .malformed, at: url.path, "begins with a byte order mark of UTF-16 or UTF-32, and is not such text.",
                advice: "Save it as UTF-8.")
        }
        let isLines = ["jsonl", "ndjson"].contains(url.pathExtension.lowercased())
        var reading = Reading(decoder: RecordDecoder(format: format))
        let fault = text.withUnsafeBytes { bytes -> (position: String, message: String)? in
            var positions = LinePositions(bytes)
            do throws(JSONReader.Fault) {
                for element in try RecordElements(bytes, isLines: isLines).all() {
                    reading.read(element, of: bytes, &positions)
                }
                return nil
            } catch {
                return (positions.position(of: error.offset), error.message)
            }
        }
        if let fault {
            throw DataError(
                .malformed, at: url.path, "cannot be read as JSON, at \(fault.position): \(fault.message).",
                advice: "Expected [ {…}, {…} ], or a .jsonl file with one object a line.")
        }
        let (records, report) = reading.finished
        if policy == .stop { try report.requireFitRecords(path: url.path) }
        guard !records.isEmpty else { throw nothingUsable(report, url) }
        return (records, report)
    }

    /// What has been read of a file.
    private struct Reading {
        let decoder: RecordDecoder
        private var records: [Record] = []
        private var report = DataReport()
        private var repeated: [String: (count: Int, first: String)] = [:]

        init(decoder: RecordDecoder) { self.decoder = decoder }

        mutating func read(
            _ element: RecordElements.Element, of bytes: UnsafeRawBufferPointer, _ positions: inout LinePositions
        ) {
            report.total += 1
            let reject = { (report: inout DataReport, kind: DataReport.Problem.Kind, reason: String) in
                report.problems.append(.init(place: element.place, kind: kind, reason: reason))
            }
            let part = UnsafeRawBufferPointer(rebasing: bytes[element.range])
            guard String(validating: part, as: UTF8.self) != nil else {
                return reject(&report, .notUTF8, "has bytes that are not UTF-8.")
            }
            var reader = JSONReader(part)
            let value: JSONValue
            do throws(JSONReader.Fault) {
                value = try reader.value()
                try reader.end("the record")
            } catch {
                let position = positions.position(of: element.range.lowerBound + error.offset)
                return reject(&report, .notJSON, "is not valid JSON (\(position)): \(error.message).")
            }
            for key in Set(reader.repeatedKeys) {
                repeated[key] = (1 + (repeated[key]?.count ?? 0), repeated[key]?.first ?? element.place)
            }
            do throws(RecordDecoder.Rejection) {
                records.append(try decoder.decode(value, place: element.place))
            } catch {
                reject(&report, error.kind, error.reason)
            }
        }

        var finished: (records: [Record], report: DataReport) {
            var report = report
            for (key, found) in repeated.sorted(by: { $0.key < $1.key }) {
                report.remarks.append(
                    "the key \"\(key)\" stands twice in one object (records: \(found.count), the first: \(found.first)); "
                        + "the last value is used.")
            }
            return (records, report)
        }
    }

    private static func nothingUsable(_ report: DataReport, _ url: URL) -> DataError {
        guard let first = report.problems.first else {
            return DataError(.empty, at: url.path, "holds no records.")
        }
        return DataError(
            .empty, at: url.path,
            "holds no usable record: \(report.summary). The first: \(first.place) \(first.reason)",
            advice: "Known shapes: \"messages\", \"conversations\", \"prompt\"/\"completion\", \"text\".")
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
