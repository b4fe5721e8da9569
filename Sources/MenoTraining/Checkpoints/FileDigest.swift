internal import Crypto
public import Foundation
internal import MenoFormats

/// What tells a file's content apart.
public struct FileDigest: Sendable, Hashable {
    /// Bytes.
    public let size: Int
    /// SHA-256, in hexadecimal digits.
    public let sha256: String

    /// Reads the whole file, without keeping it in memory.
    public init(of url: URL) throws {
        let file = try MemoryMappedFile(contentsOf: url)
        let digest = file.withUnsafeBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return hash.finalize()
        }
        size = file.count
        sha256 = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
