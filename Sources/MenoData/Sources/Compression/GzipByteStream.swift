internal import Foundation

/// Unpacks gzip, or zlib's bare format, while it is read.
final class GzipByteStream: ByteStream {
    /// `z_stream` of zlib.h.
    private struct State {
        var nextIn: UnsafeMutableRawPointer?
        var availableIn: UInt32 = 0
        var totalIn: UInt = 0
        var nextOut: UnsafeMutableRawPointer?
        var availableOut: UInt32 = 0
        var totalOut: UInt = 0
        var message: UnsafePointer<CChar>?
        var state: OpaquePointer?
        var allocate: OpaquePointer?
        var free: OpaquePointer?
        var opaque: OpaquePointer?
        var dataType: Int32 = 0
        var checksum: UInt = 0
        var reserved: UInt = 0
    }

    private typealias Initialize = @convention(c) (UnsafeMutableRawPointer, Int32, UnsafePointer<CChar>, Int32) -> Int32
    private typealias Inflate = @convention(c) (UnsafeMutableRawPointer, Int32) -> Int32
    private typealias Simple = @convention(c) (UnsafeMutableRawPointer) -> Int32

    private let packed: any ByteStream
    private let path: String
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
    private let inflate: Inflate
    private let reset: Simple
    private let end: Simple
    /// Whether the last member is whole.
    private var isWhole = true
    private var members = 0
    /// Whether unpacked bytes may be left that had no room.
    private var mayHoldMore = false
    private var isInitialized = false

    init(_ packed: any ByteStream, path: String) throws {
        self.packed = packed
        self.path = path
        state.initialize(to: State())
        let library = SystemLibrary.zlib
        inflate = try library.function("inflate", Inflate.self, for: path)
        reset = try library.function("inflateReset", Simple.self, for: path)
        end = try library.function("inflateEnd", Simple.self, for: path)
        let initialize = try library.function("inflateInit2_", Initialize.self, for: path)
        // 15: the largest window; 32: gzip or zlib, as the header says. The version's first digit alone is compared.
        guard initialize(state, 15 + 32, "1.2.3", Int32(MemoryLayout<State>.size)) == 0 else {
            throw DataError(.malformed, at: path, "cannot be unpacked: zlib refuses to start.")
        }
        isInitialized = true
    }

    deinit {
        if isInitialized { _ = end(state) }
        state.deallocate()
        input.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !buffer.isEmpty else { return 0 }
        state.pointee.nextOut = buffer.baseAddress
        state.pointee.availableOut = UInt32(min(buffer.count, 1 << 30))
        let wanted = Int(state.pointee.availableOut)
        while Int(state.pointee.availableOut) == wanted {
            if state.pointee.availableIn == 0, !mayHoldMore {
                let count = try packed.read(into: input)
                guard count > 0 else {
                    guard isWhole else { throw cut() }
                    return 0
                }
                state.pointee.nextIn = input.baseAddress
                state.pointee.availableIn = UInt32(count)
            }
            // Behind the last member there may be zeros, as tapes have them.
            if isWhole, members > 0, state.pointee.availableIn > 0, let next = state.pointee.nextIn,
                next.load(as: UInt8.self) == 0
            {
                state.pointee.nextIn = next + 1
                state.pointee.availableIn -= 1
                continue
            }
            isWhole = false
            let code = inflate(state, 0)
            mayHoldMore = state.pointee.availableOut == 0 && code != 1
            switch code {
            case 0, -5: continue  // Z_OK, and Z_BUF_ERROR, which asks for more input
            case 1:
                isWhole = true
                members += 1
                _ = reset(state)
            default:
                let reason = state.pointee.message.map { String(cString: $0) } ?? "code \(code)"
                throw DataError(
                    .malformed, at: path, "is damaged: it cannot be unpacked as gzip (\(reason)).",
                    advice: "Get it again.")
            }
        }
        return wanted - Int(state.pointee.availableOut)
    }

    private func cut() -> DataError {
        DataError(
            .malformed, at: path, "is cut off: its gzip data have no end.", advice: "Get the whole file again.")
    }
}
