internal import Crypto
package import Foundation
internal import MenoFormats

/// What tells a file's content apart.
package struct FileDigest: Sendable, Hashable {
    /// Bytes.
    package let size: Int
    /// SHA-256, in hexadecimal digits.
    package let sha256: String

    /// Reads the whole file, without keeping it in memory.
    package init(of url: URL) throws {
        self = try MemoryMappedFile(contentsOf: url).withUnsafeBytes { FileDigest($0) }
    }

    /// Of a file that is read already.
    package init(of contents: Data) { self = contents.withUnsafeBytes { FileDigest($0) } }

    private init(_ bytes: UnsafeRawBufferPointer) { self.init(pieces: { $0(bytes) }) }

    /// Of bytes that come in pieces.
    /// - Parameter give: is given what takes a piece.
    package init(pieces give: ((UnsafeRawBufferPointer) -> Void) throws -> Void) rethrows {
        var hash = SHA256()
        var size = 0
        try give {
            hash.update(bufferPointer: $0)
            size += $0.count
        }
        self.size = size
        sha256 = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
