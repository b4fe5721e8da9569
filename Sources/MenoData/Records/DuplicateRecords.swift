/// Finds records that repeat earlier ones, but for white space.
struct DuplicateRecords {
    /// Where records were met first.
    private var places: [UInt64: String] = [:]

    /// The record, or, where it repeats another one, that it does.
    mutating func marked(_ decoded: DecodedRecord, at place: String) -> DecodedRecord {
        guard let fingerprint = decoded.record?.fingerprint else { return decoded }
        guard let first = places[fingerprint] else {
            places[fingerprint] = place
            return decoded
        }
        var decoded = decoded
        decoded.record = nil
        decoded.problem = .init(place: place, kind: .duplicate, reason: "repeats \(first).")
        return decoded
    }
}
