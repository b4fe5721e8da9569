internal import Foundation
internal import MenoTensor
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The memory of this process as the operating system counts it, in bytes.
package struct ProcessMemory: Sendable, Hashable {
    /// In physical memory now.
    package var resident: Int
    /// The most that ever was.
    package var peakResident: Int

    /// The most before the system's own record was reset.
    private static let earlierPeak = Mutex(0)

    /// Resets the system's record of the most resident memory, to measure one piece of work.
    /// - Returns: `false` where the system has no such means.
    static func resetPeak() -> Bool {
        #if os(Linux)
            let peak = current().peakResident
            guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return false }
            defer { try? file.close() }
            do { try file.write(contentsOf: Data("5".utf8)) } catch { return false }
            earlierPeak.withLock { $0 = max($0, peak) }
            return true
        #else
            return false
        #endif
    }

    /// The most that was taken before anything was measured: while a model was loaded to the CPU.
    static func loadPeak(on device: Device) -> Int { device.kind == .cpu ? earlierPeak.withLock { $0 } : 0 }

    /// The most since ``resetPeak()``.
    static func peakSinceReset() -> Int {
        #if os(Linux)
            return bytes("VmHWM:", in: (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "")
        #else
            return current().peakResident
        #endif
    }

    /// Reads the counters; zeros where the system offers none.
    package static func current() -> ProcessMemory {
        #if os(Linux)
            guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
                return ProcessMemory(resident: 0, peakResident: 0)
            }
            return ProcessMemory(
                resident: bytes("VmRSS:", in: status),
                peakResident: max(bytes("VmHWM:", in: status), earlierPeak.withLock { $0 }))
        #else
            var usage = rusage()
            getrusage(RUSAGE_SELF, &usage)
            return ProcessMemory(resident: usage.ru_maxrss, peakResident: usage.ru_maxrss)
        #endif
    }

    #if os(Linux)
        private static func bytes(_ key: String, in status: String) -> Int {
            for line in status.split(separator: "\n") where line.hasPrefix(key) {
                let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
                return fields.count > 1 ? (Int(fields[1]) ?? 0) * 1024 : 0
            }
            return 0
        }
    #endif
}
