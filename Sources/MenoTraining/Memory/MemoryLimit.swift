internal import Foundation
package import MenoTensor
internal import Synchronization

/// The memory that a run may still take.
package enum MemoryLimit {
    private static let sharers = Atomic(1)

    /// Of how many processes of a run this machine's memory is: each plans with its part.
    package static func share(among processes: Int) { sharers.store(max(1, processes), ordering: .relaxed) }

    /// Bytes that this process can take on a device beyond what it holds now; `nil` where nothing tells.
    ///
    /// On the CPU: what the system has available, or less where a control group limits the process: the kernel kills
    /// what goes beyond it.
    package static func available(on device: Device) -> Int? {
        guard device.kind == .cpu else { return try? device.freeMemory() }
        return [systemAvailable(), groupAvailable()].compactMap { $0 }.min()
            .map { $0 / sharers.load(ordering: .relaxed) }
    }

    private static func systemAvailable() -> Int? {
        guard let text = text("/proc/meminfo") else { return nil }
        return value("MemAvailable:", in: text).map { $0 * 1024 }
    }

    /// What the control groups of this process, and those around them, leave; of version 2 and of version 1. Pages of files
    /// that nobody needs now do not count as taken.
    private static func groupAvailable() -> Int? {
        let groups = (text("/proc/self/cgroup") ?? "").split(separator: "\n").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }
        return groups.filter { $0.count == 3 }.compactMap { fields -> Int? in
            switch fields[1] {
            case "": available(in: fields[2], under: "/sys/fs/cgroup", limit: "memory.max", usage: "memory.current")
            case "memory":
                available(
                    in: fields[2], under: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes",
                    usage: "memory.usage_in_bytes")
            default: nil
            }
        }.min()
    }

    private static func available(in group: Substring, under root: String, limit: String, usage: String) -> Int? {
        var names = group.split(separator: "/")
        var least: Int?
        while true {
            let folder = ([root] + names.map(String.init)).joined(separator: "/")
            // Version 1 writes a huge number for "no limit", version 2 a word.
            if let limit = number("\(folder)/\(limit)"), limit < 1 << 60, let usage = number("\(folder)/\(usage)") {
                let inactive = text("\(folder)/memory.stat").flatMap { value("inactive_file", in: $0) } ?? 0
                let left = max(0, limit - usage + inactive)
                least = min(least ?? left, left)
            }
            guard names.popLast() != nil else { return least }
        }
    }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    private static func number(_ path: String) -> Int? {
        text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    private static func value(_ key: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 1, fields[0] == key { return Int(fields[1]) }
        }
        return nil
    }
}
