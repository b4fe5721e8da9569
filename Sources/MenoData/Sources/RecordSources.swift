/// All the sources of a run, read as one.
package struct RecordSources: Sendable {
    /// The files, in the order of their sources.
    package let files: [SourceFile]
    private let sources: [Source]
    private let seed: UInt64

    private struct Source: Sendable {
        var files: [SourceFile]
        var options: DataSource
        /// What stands for it in reports, and balances evaluations.
        var name: String?
    }

    /// - Parameters:
    ///   - seed: of the order in which sources with weights are mixed.
    ///   - unit: what a record of a text file is.
    /// - Throws: ``DataError`` where there is no such file, or the weights are none.
    package init(_ sources: [DataSource], seed: UInt64, unit: TextUnit = .line) throws {
        let found = try sources.map { source in
            try source.paths.flatMap {
                try SourceFiles.files($0, split: source.split, isForEvaluation: source.isForEvaluation)
            }
        }
        let count = found.reduce(0) { $0 + $1.count }
        self.sources = try zip(sources, found).map { source, matches in
            let files = try matches.map { file in
                var opened = try SourceFile(file.url, name: count > 1 ? file.name : nil)
                opened.unit = unit
                return opened
            }
            return Source(
                files: files, options: source, name: sources.count > 1 ? source.paths.joined(separator: ", ") : nil)
        }
        files = self.sources.flatMap(\.files)
        self.seed = seed
        try Self.requireWeights(sources)
    }

    private static func requireWeights(_ sources: [DataSource]) throws {
        let weights = sources.compactMap(\.weight)
        guard !weights.isEmpty else { return }
        for source in sources {
            guard let weight = source.weight else {
                throw DataError(
                    .malformed, at: source.paths.first, "has no weight, and other sources have one.",
                    advice: "Give each source a weight, or none.")
            }
            guard weight.isFinite, weight >= 0 else {
                throw DataError(
                    .malformed, at: source.paths.first, "has the weight \(weight); expected a number from 0.")
            }
        }
        guard weights.reduce(0, +) > 0 else {
            throw DataError(
                .malformed, at: nil, "the weights of the sources sum to 0, so that nothing would be read.",
                advice: "Give at least one source a weight above 0.")
        }
    }

    /// What errors call all of it.
    package var place: String {
        files.count == 1 ? files[0].path : sources.flatMap(\.options.paths).joined(separator: ", ")
    }

    /// What decides, beside the files' contents, which records are read and in what order.
    package var identity: String {
        sources.map {
            "\($0.options.weight.map { "\($0)" } ?? "-") \($0.options.maxSamples.map { "\($0)" } ?? "-") "
                + "\($0.options.format.rawValue) \($0.name ?? "") \($0.files.map { "\($0.name ?? "") \($0.unit)" })"
        }.joined(separator: "\n") + "\n\(sources.contains { $0.options.weight != nil } ? "\(seed)" : "")"
    }

    /// Reads the records: one source after the other, or, where they have weights, drawn from them.
    package func records() throws -> any RecordReader {
        let readers = sources.map {
            SourceReader(
                files: $0.files, format: $0.options.format, source: $0.name, left: $0.options.maxSamples ?? .max)
        }
        let weights = sources.map { $0.options.weight ?? 1 }
        guard sources.contains(where: { $0.options.weight != nil }), sources.count > 1 else {
            return ConcatenatedReader(readers: readers)
        }
        return MixedReader(readers: readers, weights: weights, seed: seed)
    }
}

/// Reads the files of a source, one after the other.
private struct SourceReader: RecordReader {
    let files: [SourceFile]
    let format: RecordFormat
    let source: String?
    /// Records that may still be read.
    var left: Int
    private var opened = 0
    private var reader: (any RecordReader)?

    init(files: [SourceFile], format: RecordFormat, source: String?, left: Int) {
        (self.files, self.format, self.source, self.left) = (files, format, source, left)
    }

    mutating func next() throws -> RawRecord? {
        while left > 0 {
            if var record = try reader?.next() {
                left -= 1
                record.format = format
                record.source = source
                return record
            }
            guard opened < files.count else { return nil }
            reader = try files[opened].records()
            opened += 1
        }
        return nil
    }
}

private struct ConcatenatedReader: RecordReader {
    var readers: [SourceReader]

    mutating func next() throws -> RawRecord? {
        while !readers.isEmpty {
            if let record = try readers[0].next() { return record }
            readers.removeFirst()
        }
        return nil
    }
}

/// Draws each record's source by its weight, until a source that is drawn has no more: what `interleave_datasets` does with
/// probabilities. The seed alone decides.
private struct MixedReader: RecordReader {
    private var readers: [SourceReader]
    private let limits: [Double]
    private let last: Int
    private var generator: SplitMix64

    init(readers: [SourceReader], weights: [Double], seed: UInt64) {
        self.readers = readers
        let sum = weights.reduce(0, +)
        var total = 0.0
        limits = weights.map {
            total += $0 / sum
            return total
        }
        last = weights.lastIndex { $0 > 0 } ?? 0
        generator = SplitMix64(seed: seed, stream: 0x4D49_5845)
    }

    mutating func next() throws -> RawRecord? {
        let drawn = Double(generator.next() >> 11) * 0x1p-53
        return try readers[limits.firstIndex { drawn < $0 } ?? last].next()
    }
}
