import Foundation

@testable import MenoData

/// All records of a source in memory, as tests compare them.
enum RecordFile {
    static func read(
        _ url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try read(RecordSources([DataSource([url.path])], seed: 0), format: format, onInvalid: policy)
    }

    /// Reads bytes as those of a file of that name.
    static func read(
        _ data: Data, of url: URL, format: RecordFormat = .auto, onInvalid policy: InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try collect(
            SourceFile(data, of: url).records(), at: url.path, RecordPass(RecordDecoder(format: format)), policy)
    }

    static func read(
        _ sources: RecordSources, format: RecordFormat = .auto, mapping: RecordMapping = RecordMapping(),
        onInvalid policy: InvalidRecordPolicy = .skip, dropsDuplicates: Bool = false
    ) throws -> (records: [Record], report: DataReport) {
        var pass = RecordPass(RecordDecoder(format: format, mapping: mapping))
        pass.dropsDuplicates = dropsDuplicates
        return try collect(sources.records(), at: sources.place, pass, policy)
    }

    private static func collect(
        _ reader: any RecordReader, at path: String, _ pass: RecordPass, _ policy: InvalidRecordPolicy
    ) throws -> (records: [Record], report: DataReport) {
        var records: [Record] = []
        var findings = PreparationFindings()
        try pass.run(reader) { chunk in
            var found = PreparationFindings()
            let fit = chunk.all.indices.compactMap {
                found.note(chunk.decoded($0, by: pass.decoder), at: chunk.all[$0].place.description)
            }
            return (fit, found)
        } take: { fit, found in
            records += fit
            findings.add(found)
        }
        let report = findings.report
        if policy == .stop { try report.requireFitRecords(path: path) }
        guard !records.isEmpty else { throw report.nothingUsable(at: path) }
        return (records, report)
    }
}

extension DataSummary {
    /// Of records that are in memory.
    init(_ records: [Record]) {
        var tally = DataTally()
        for record in records { tally.add(record) }
        self = tally.summary
    }
}
