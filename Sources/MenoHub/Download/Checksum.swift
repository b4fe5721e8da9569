internal import Crypto
internal import Foundation

/// The checksum in an etag: SHA-256 of a large file, git's SHA-1 of a small one.
enum Checksum {
    case sha256(String)
    case gitSHA1(String)
    /// An etag from another kind of server, which says nothing about the bytes.
    case none

    init(etag: String) {
        let isHex = etag.allSatisfy { $0.isASCII && $0.isHexDigit }
        switch etag.count {
        case 64 where isHex: self = .sha256(etag.lowercased())
        case 40 where isHex: self = .gitSHA1(etag.lowercased())
        default: self = .none
        }
    }

    /// Computes a checksum incrementally.
    struct Running {
        private enum Hash {
            case sha256(SHA256)
            case gitSHA1(Insecure.SHA1)
            case none
        }
        private var hash: Hash
        private let expected: String

        /// - Parameter size: the total number of bytes, which git's checksum begins with.
        init(_ checksum: Checksum, size: Int?) {
            switch (checksum, size) {
            case (.sha256(let text), _): (hash, expected) = (.sha256(SHA256()), text)
            case (.gitSHA1(let text), let size?):
                var sha = Insecure.SHA1()
                sha.update(data: Data("blob \(size)\0".utf8))
                (hash, expected) = (.gitSHA1(sha), text)
            default: (hash, expected) = (.none, "")
            }
        }

        mutating func update(_ bytes: UnsafeRawBufferPointer) {
            switch hash {
            case .sha256(var sha):
                // The enum must not hold a second reference while its value changes.
                hash = .none
                sha.update(bufferPointer: bytes)
                hash = .sha256(sha)
            case .gitSHA1(var sha):
                hash = .none
                sha.update(bufferPointer: bytes)
                hash = .gitSHA1(sha)
            case .none: break
            }
        }

        /// What is wrong; `nil` if the checksum matches or there is none to compare with.
        func fault() -> String? {
            let found: (name: String, text: String)
            switch hash {
            case .sha256(let sha): found = ("SHA-256", Self.hex(sha.finalize()))
            case .gitSHA1(let sha): found = ("git SHA-1", Self.hex(sha.finalize()))
            case .none: return nil
            }
            return found.text == expected ? nil : "has the \(found.name) \(found.text) instead of \(expected)"
        }

        private static func hex(_ bytes: some Sequence<UInt8>) -> String {
            bytes.map { String(format: "%02x", $0) }.joined()
        }
    }
}
