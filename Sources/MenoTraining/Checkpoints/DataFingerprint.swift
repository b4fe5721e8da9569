internal import MenoData

/// What tells apart data, tokenizers and templates: a hash over all examples of a side, in their order.
enum DataFingerprint {
    /// Beyond so many examples, the hashes of the examples are hashed instead of all of their tokens: a run starts without
    /// reading them.
    private static let mostRead = 100_000

    /// The settings of a run that say which data it has.
    /// - Parameter stored: those of a checkpoint that they are compared with: they are made as it has them.
    static func settings(
        training: any ExampleSource, evaluation: [Example], as stored: [String: String]? = nil
    ) throws -> [String: String] {
        [
            "data": try of(training, as: stored?["data"]),
            SavedRun.evaluationKey: try of(evaluation, as: stored?[SavedRun.evaluationKey]),
        ]
    }

    /// - Parameter stored: a value of a checkpoint that this one is compared with.
    static func of(_ examples: any ExampleSource, as stored: String? = nil) throws -> String {
        let mark = examples.hasTokens ? "hashes " : "records "
        let takesHashes = stored.map { $0.contains(mark) } ?? (!examples.hasTokens || examples.count > mostRead)
        let hash = try takesHashes ? ofHashes(examples) : ofTokens(examples)
        return "\(examples.count) examples, \(takesHashes ? mark : "")\(String(hash, radix: 16))"
    }

    private struct FNV {
        private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

        @inline(__always)
        mutating func mix(_ word: UInt64) { value = (value ^ word) &* 0x100_0000_01B3 }
        @inline(__always)
        mutating func mix(_ word: Int32) { mix(UInt64(UInt32(bitPattern: word))) }
    }

    private static func ofHashes(_ examples: any ExampleSource) -> UInt64 {
        var hash = FNV()
        for position in 0..<examples.count { hash.mix(examples.contentHash(at: position)) }
        return hash.value
    }

    private static func ofTokens(_ examples: any ExampleSource) throws -> UInt64 {
        var hash = FNV()
        for position in 0..<examples.count {
            let example = try examples.example(at: position)
            hash.mix(Int32(truncatingIfNeeded: example.ids.count))
            for id in example.ids { hash.mix(id) }
            for label in example.labels { hash.mix(label) }
            guard let preference = example.preference else { continue }
            hash.mix(Int32(truncatingIfNeeded: preference.rejected?.count ?? -1))
            for id in preference.rejected ?? [] { hash.mix(id) }
            hash.mix(Int32(preference.isDesirable ? 1 : 0))
        }
        return hash.value
    }
}
