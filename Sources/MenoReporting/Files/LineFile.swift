internal import Foundation

/// A file that lines or other records are added to. Where one cannot be written, as on a full disk, no part of it stays, so
/// that the next begins where it should.
final class LineFile {
    private let handle: FileHandle
    /// After the last whole record.
    private(set) var end: UInt64
    /// Records that could not be written since the last one that could.
    private(set) var lost = 0

    init(_ handle: FileHandle) throws {
        self.handle = handle
        end = try handle.seekToEnd()
    }

    convenience init(_ url: URL) throws { try self.init(FileHandle(forWritingTo: url)) }

    func add(line: Data) throws { try add(line + Data("\n".utf8)) }

    func add(_ data: Data) throws {
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
