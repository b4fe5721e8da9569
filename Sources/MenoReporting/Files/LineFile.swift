internal import Foundation

/// A file that lines are added to. Where one cannot be written, as on a full disk, no part of it stays, so that the next
/// begins on a line of its own.
final class LineFile {
    private let handle: FileHandle
    /// After the last whole line.
    private(set) var end: UInt64
    /// Lines that could not be written since the last one that could.
    private(set) var lost = 0

    init(_ url: URL) throws {
        handle = try FileHandle(forWritingTo: url)
        end = try handle.seekToEnd()
    }

    func add(_ line: Data) throws {
        let data = line + Data("\n".utf8)
        do {
            try handle.write(contentsOf: data)
        } catch {
            lost += 1
            try? handle.truncate(atOffset: end)
            throw error
        }
        end += UInt64(data.count)
        lost = 0
    }

    /// Cuts off what is after an offset; a file that is shorter goes on at its end.
    func cut(at offset: UInt64) throws {
        end = min(offset, end)
        try handle.truncate(atOffset: end)
    }

    /// Brings it to the disk.
    func synchronize() throws { try handle.synchronize() }
}
