package import Foundation
internal import MenoConfiguration
internal import MenoFormats
package import MenoTensor
internal import Synchronization

/// Which products with bfloat16 weights this machine computes by: measured once, and kept in the user's cache. Other products
/// round otherwise, so a run that is resumed keeps those that it was begun with.
package struct ProductChoice: Sendable {
    /// Measurements of a machine.
    private struct Entry: Codable {
        var kind: String
        /// GFLOP/s of each kind.
        var speeds: [String: Double]
    }

    private let file: URL
    private let candidates: [ProductKind]

    /// - Parameters:
    ///   - file: what measurements are kept in.
    ///   - candidates: what is chosen from.
    package init(
        _ file: URL = CatalogModel.cache.appending(path: "products.json"),
        candidates: [ProductKind] = ProductKind.candidates
    ) {
        self.file = file
        self.candidates = candidates
    }

    /// Makes the fastest products those of this process, before a model is loaded.
    /// - Parameters:
    ///   - recorded: what the run to be resumed was computed by.
    ///   - log: gets what is good to know of it.
    /// - Throws: ``ConfigurationError`` where `MENO_PRODUCTS` says what this processor does not have.
    package func apply(recorded: String? = nil, log: any SessionLog) throws {
        try Self.checkEnvironment()
        // Whatever was measured would be the one kind that is forced.
        guard ProductKind.forced == nil else { return }
        let choice = try choice()
        guard let recorded, let kind = ProductKind(rawValue: recorded), kind != choice else { return try choice.use() }
        guard kind.isSupported else {
            log.warn(
                "the run was computed by \(kind.rawValue) products, which this processor does not have: with "
                    + "\(choice.rawValue) products its results differ by rounding")
            return try choice.use()
        }
        log.note("the run keeps its \(kind.rawValue) products; a new run would take \(choice.rawValue) ones here")
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

    /// What was measured before, or is measured now. A process measures once at most, before it computes anything else: while a
    /// measurement lasts, others of its threads would compute by what is measured.
    private func choice() throws -> ProductKind {
        try Self.chosen.withLock { chosen in
            if let chosen { return chosen }
            let choice = try withFileLock { try kept() ?? measure().kind }
            chosen = choice
            return choice
        }
    }

    private static let chosen = Mutex<ProductKind?>(nil)

    /// Processes that start together take what the first of them measures.
    private func withFileLock<Result>(_ body: () throws -> Result) rethrows -> Result {
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let descriptor = open(file.path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { flock(descriptor, LOCK_EX) }
        defer { if descriptor >= 0 { close(descriptor) } }
        return try body()
    }

    /// Measures, and keeps the result.
    /// - Returns: the choice, and the speed of each kind in GFLOP/s, the fastest first.
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
        // Where nothing can be kept, the next process measures again.
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        if let data = try? encoder.encode(entries) { try? WholeFile.write(data, to: file) }
        return (kind, speeds)
    }

    /// What was measured on this machine; `nil`: nothing, or it is of no use.
    private func kept() throws -> ProductKind? {
        read()[machine].flatMap { ProductKind(rawValue: $0.kind) }.flatMap { $0.isSupported ? $0 : nil }
    }

    private func read() -> [String: Entry] {
        guard let data = try? Data(contentsOf: file) else { return [:] }
        return (try? JSONDecoder().decode([String: Entry].self, from: data)) ?? [:]
    }

    /// What a measurement is of: a home folder may serve several machines.
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
