/// How a file is compressed, which its first bytes tell.
enum Compression: Sendable, Hashable, CaseIterable {
    case gzip, zstd

    /// What the names of such files end with.
    var nameExtension: String { self == .gzip ? "gz" : "zst" }

    private var mark: [UInt8] { self == .gzip ? [0x1F, 0x8B] : [0x28, 0xB5, 0x2F, 0xFD] }

    init?(start: [UInt8]) {
        guard let found = Self.allCases.first(where: { start.starts(with: $0.mark) }) else { return nil }
        self = found
    }

    func unpack(_ stream: any ByteStream, path: String) throws -> any ByteStream {
        switch self {
        case .gzip: try GzipByteStream(stream, path: path)
        case .zstd: try ZstdByteStream(stream, path: path)
        }
    }
}
