package import Foundation
internal import MenoConfiguration
internal import MenoFormats
package import MenoTensor
internal import Synchronization

/// The fastest kind of bfloat16 matrix product on this machine, measured once and kept in the
/// user's cache. Kinds differ in rounding, so a resumed run keeps the kind it began with.
package struct ProductChoice: Sendable {
    /// Measurements of a machine.
    private struct Entry: Codable {
        var kind: String
        /// The speed of each kind in GFLOP/s.
        var speeds: [String: Double]
    }

    private let file: URL
    private let candidates: [ProductKind]

    /// - Parameters:
    ///   - file: where measurements are kept.
    ///   - candidates: the kinds to choose from.
    package init(
        _ file: URL = CatalogModel.cache.appending(path: "products.json"),
        candidates: [ProductKind] = ProductKind.candidates
    ) {
        self.file = file
        self.candidates = candidates
    }

    /// Selects the fastest kind for this process. Call it before a model is loaded.
    /// - Parameters:
    ///   - recorded: the kind used by the run to be resumed.
    ///   - log: receives a note if another kind would be used otherwise.
    /// - Throws: ``ConfigurationError`` if `MENO_PRODUCTS` names a kind that this processor does
    ///   not have.
    package func apply(recorded: String? = nil, log: any SessionLog) throws {
        try Self.checkEnvironment()
        // With a forced kind, a measurement would only measure that one.
        guard ProductKind.forced == nil else { return }
        let choice = try choice()
        guard let recorded, let kind = ProductKind(rawValue: recorded), kind != choice else { return try choice.use() }
        guard kind.isSupported else {
            log.warn(
                "the run used \(kind.rawValue) products, which this processor does not support: with "
                    + "\(choice.rawValue) products the results differ by rounding")
            return try choice.use()
        }
        log.note("the run keeps its \(kind.rawValue) products; a new run would use \(choice.rawValue) products here")
        try kind.use()
    }

    private static func checkEnvironment() throws {
        guard let value = ProcessInfo.processInfo.environment["MENO_PRODUCTS"], !value.isEmpty else { return }
        let supported = ProductKind.allCases.filter(\.isSupported).map(\.rawValue)
        guard !supported.contains(value) else { return }
        throw ConfigurationError(
            .invalid, at: "MENO_PRODUCTS", "is \(value).",
            advice: "This processor has \(supported.joined(separator: ", ")).")
    }

    /// The kind measured before, or measured now. A process measures at most once and before it
    /// computes anything else, because a measurement switches the kind for all its threads.
    private func choice() throws -> ProductKind {
        try Self.chosen.withLock { chosen in
            if let chosen { return chosen }
            let choice = try withFileLock { try kept() ?? measure().kind }
            chosen = choice
            return choice
        }
    }

    private static let chosen = Mutex<ProductKind?>(nil)

    /// Processes that start together share the measurement of the first one.
    private func withFileLock<Result>(_ body: () throws -> Result) rethrows -> Result {
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let descriptor = open(file.path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { flock(descriptor, LOCK_EX) }
        defer { if descriptor >= 0 { close(descriptor) } }
        return try body()
    }

    /// Measures, and stores the result in the cache.
    /// - Returns: the choice, and the speed of each kind in GFLOP/s, fastest first.
    package func measured() throws -> (kind: ProductKind, speeds: [(kind: ProductKind, speed: Double)]) {
        try withFileLock { try measure() }
    }

    private func measure() throws -> (kind: ProductKind, speeds: [(kind: ProductKind, speed: Double)]) {
        let measured = try ProductKind.measure(candidates)
        let speeds = measured.map { ($0.kind, ProductKind.measuredOperations / $0.seconds / 1e9) }
            .sorted { $0.1 > $1.1 }
        let kind = try ProductKind.choice(measured, incumbent: kept()) ?? .current
        var entries = read()
        entries[machine] = Entry(
            kind: kind.rawValue,
            speeds: Dictionary(uniqueKeysWithValues: speeds.map { ($0.0.rawValue, $0.1.rounded()) }))
        // If nothing can be stored, the next process measures again.
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        if let data = try? encoder.encode(entries) { try? WholeFile.write(data, to: file) }
        return (kind, speeds)
    }

    /// The stored choice for this machine; `nil` if there is none or it no longer applies.
    private func kept() throws -> ProductKind? {
        read()[machine].flatMap { ProductKind(rawValue: $0.kind) }.flatMap { $0.isSupported ? $0 : nil }
    }

    private func read() -> [String: Entry] {
        guard let data = try? Data(contentsOf: file) else { return [:] }
        return (try? JSONDecoder().decode([String: Entry].self, from: data)) ?? [:]
    }

    /// What a measurement depends on. Several machines may share a home folder.
    private var machine: String {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let value = { (key: String) in
            lines.first { $0.hasPrefix(key) }?.split(separator: ":").last.map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
        let model = value("model name") ?? "processor"
        let kinds = candidates.map(\.rawValue).joined(separator: "+")
        return "\(model), \(Torch.threadCount) threads, libtorch \(Torch.version), \(kinds)"
    }
}
