internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The memory of this process as the operating system counts it, in bytes.
public struct ProcessMemory: Sendable, Hashable {
    /// In physical memory now.
    public var resident: Int
    /// The most that ever was.
    public var peakResident: Int

    /// Reads the counters; zeros where the system offers none.
    public static func current() -> ProcessMemory {
        #if os(Linux)
            guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
                return ProcessMemory(resident: 0, peakResident: 0)
            }
            return ProcessMemory(resident: bytes("VmRSS:", in: status), peakResident: bytes("VmHWM:", in: status))
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
