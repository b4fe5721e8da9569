internal import Foundation

/// Unpacks Zstandard while it is read.
final class ZstdByteStream: ByteStream {
    /// `ZSTD_inBuffer` and `ZSTD_outBuffer` of zstd.h.
    private struct Buffer {
        var base: UnsafeMutableRawPointer?
        var size = 0
        var place = 0
    }

    private typealias Create = @convention(c) () -> OpaquePointer?
    private typealias Free = @convention(c) (OpaquePointer?) -> Int
    private typealias Decompress =
        @convention(c) (OpaquePointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int
    private typealias IsError = @convention(c) (Int) -> UInt32
    private typealias ErrorName = @convention(c) (Int) -> UnsafePointer<CChar>?

    private let packed: any ByteStream
    private let path: String
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var input = Buffer()
    private let stream: OpaquePointer
    private let decompress: Decompress
    private let isError: IsError
    private let errorName: ErrorName
    private let free: Free
    /// Whether the last frame is whole.
    private var isWhole = true
    /// Whether unpacked bytes may be left that had no room.
    private var mayHoldMore = false

    init(_ packed: any ByteStream, path: String) throws {
        self.packed = packed
        self.path = path
        let library = SystemLibrary.zstd
        decompress = try library.function("ZSTD_decompressStream", Decompress.self, for: path)
        isError = try library.function("ZSTD_isError", IsError.self, for: path)
        errorName = try library.function("ZSTD_getErrorName", ErrorName.self, for: path)
        free = try library.function("ZSTD_freeDStream", Free.self, for: path)
        guard let stream = try library.function("ZSTD_createDStream", Create.self, for: path)() else {
            throw DataError(.malformed, at: path, "cannot be unpacked: libzstd refuses to start.")
        }
        self.stream = stream
    }

    deinit {
        _ = free(stream)
        memory.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !buffer.isEmpty else { return 0 }
        var output = Buffer(base: buffer.baseAddress, size: buffer.count)
        while output.place == 0 {
            if input.place == input.size, !mayHoldMore {
                let count = try packed.read(into: memory)
                if count == 0 {
                    guard isWhole else {
                        throw DataError(
                            .malformed, at: path, "is cut off: its Zstandard data have no end.",
                            advice: "Get the whole file again.")
                    }
                    return 0
                }
                input = Buffer(base: memory.baseAddress, size: count)
            }
            let code = decompress(stream, &output, &input)
            guard isError(code) == 0 else {
                let reason = errorName(code).map { String(cString: $0) } ?? "code \(code)"
                throw DataError(
                    .malformed, at: path, "is damaged: it cannot be unpacked as Zstandard (\(reason)).",
                    advice: "Get it again.")
            }
            isWhole = code == 0
            mayHoldMore = output.place == output.size
        }
        return output.place
    }
}
