internal import Foundation
internal import MenoConfiguration
internal import MenoTensor
internal import MenoTraining

/// What must be the same in all processes of a run, under names that users understand.
struct WorldCheck {
    private var items: [(name: String, value: String)] = []

    mutating func add(_ name: String, _ value: String) {
        items.append((name, value.replacing("\t", with: " ").replacing("\n", with: " ")))
    }

    mutating func add(_ values: [String: String]) {
        for (name, value) in values.sorted(by: { $0.key < $1.key }) { add(name, value) }
    }

    /// Compares all processes; if one differs, all of them throw.
    /// - Throws: ``ConfigurationError`` that names the rank and what differs.
    func compare(_ processes: ProcessGroup) throws {
        guard processes.size > 1 else { return }
        let text = items.map { "\($0.name)\t\($0.value)" }.joined(separator: "\n")
        let all = try processes.gather(text).map(Self.values)
        for (rank, other) in all.enumerated().dropFirst() where other != all[0] {
            let names = Set(all[0].keys).union(other.keys).sorted()
            guard let name = names.first(where: { all[0][$0] != other[$0] }) else { continue }
            throw ConfigurationError(
                .invalid, at: "rank \(rank)",
                "differs from rank 0 in \(name): \(Self.shown(other[name])) instead of \(Self.shown(all[0][name])).",
                advice:
                    "All processes of a run need the same program, configuration, data, model and kind of processor.")
        }
    }

    private static func values(_ text: String) -> [String: String] {
        Dictionary(
            text.split(separator: "\n").map { line in
                let fields = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(fields[0]), fields.count > 1 ? String(fields[1]) : "")
            }, uniquingKeysWith: { first, _ in first })
    }

    private static func shown(_ value: String?) -> String {
        guard let value, !value.isEmpty else { return "nothing" }
        return value.count > 80 ? "\(value.prefix(80))…" : value
    }

    /// Identifies a model's files by names, sizes and a digest of parts of each. Hashing whole
    /// files can take minutes.
    static func mark(ofModel url: URL) -> String {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted()
        let files = names.isEmpty ? [url] : names.map { url.appending(path: $0) }
        var digested = Data()
        for file in files {
            guard let handle = try? FileHandle(forReadingFrom: file.resolvingSymlinksInPath()),
                let size = try? handle.seekToEnd()
            else { continue }
            defer { try? handle.close() }
            digested += Data("\(file.lastPathComponent) \(size)\n".utf8)
            let part: UInt64 = 64 << 10
            let starts = size <= 16 * part ? [0] : (0..<16).map { $0 * ((size - part) / 15) }
            for start in starts {
                guard (try? handle.seek(toOffset: start)) != nil else { continue }
                digested += (try? handle.read(upToCount: Int(size <= 16 * part ? size : part))) ?? Data()
            }
        }
        return FileDigest(of: digested).sha256
    }
}
