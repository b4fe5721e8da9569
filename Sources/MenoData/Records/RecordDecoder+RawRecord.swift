internal import MenoFormats

/// A record, or why it is left out.
package struct DecodedRecord: Sendable, Hashable {
    package var record: Record?
    package var problem: DataReport.Problem?
    /// Keys that an object had twice.
    package var repeatedKeys: Set<String> = []
}

extension RecordDecoder {
    /// Decodes a record as a reader gave it. Needs nothing but the record, so that many can be decoded at a time.
    package func decode(_ raw: RawRecord) -> DecodedRecord {
        var decoded = DecodedRecord()
        do throws(Rejection) {
            let decoder = raw.format == .auto ? self : RecordDecoder(format: raw.format, mapping: mapping)
            var record = try decoder.decode(value(raw, &decoded.repeatedKeys), place: raw.place.description)
            record.source = record.source ?? raw.source
            decoded.record = record
        } catch {
            decoded.problem = .init(place: raw.place.description, kind: error.kind, reason: error.reason)
        }
        return decoded
    }

    private func value(_ raw: RawRecord, _ repeatedKeys: inout Set<String>) throws(Rejection) -> JSONValue {
        switch raw.content {
        case .value(let value): return value
        case .unreadable(let kind, let reason): throw Rejection(kind: kind, reason: reason)
        case .json(let bytes):
            let result = bytes.withUnsafeBytes { bytes in
                var reader = JSONReader(bytes)
                do throws(JSONReader.Fault) {
                    let value = try reader.value()
                    try reader.end("the record")
                    repeatedKeys = Set(reader.repeatedKeys)
                    return Result<JSONValue, Rejection>.success(value)
                } catch {
                    // What was read as JSON is UTF-8: its strings are, and there is only ASCII between them.
                    guard String(validating: bytes, as: UTF8.self) != nil else {
                        return .failure(Rejection(kind: .notUTF8, reason: "has bytes that are not UTF-8."))
                    }
                    let before = UnsafeRawBufferPointer(rebasing: bytes[..<min(error.offset, bytes.count)])
                    let position = raw.start.advanced(over: before)
                    return .failure(
                        Rejection(kind: .notJSON, reason: "is not valid JSON (\(position)): \(error.message)."))
                }
            }
            return try result.get()
        }
    }
}
