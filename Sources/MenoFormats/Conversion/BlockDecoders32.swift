// Blocks of 32 elements. The layouts are ggml's (`block_q4_0` … in ggml-common.h); the order of the floating-point
// operations is that of the `gguf` Python package, so that results agree bit for bit.

/// The binary16 scale at an offset of a block.
@inline(__always)
func blockScale(_ block: UnsafeRawPointer, _ offset: Int) -> Float {
    HalfPrecision.float(binary16: UInt16(littleEndian: block.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
}

/// Converts a small non-negative integer to float32, through a signed integer, which vector units convert directly.
@inline(__always)
func float(_ value: UInt8) -> Float { Float(Int32(truncatingIfNeeded: value)) }

@inline(__always)
func float(_ value: Int8) -> Float { Float(Int32(truncatingIfNeeded: value)) }

@inline(__always)
func byte(_ block: UnsafeRawPointer, _ offset: Int) -> UInt8 { block.load(fromByteOffset: offset, as: UInt8.self) }

/// `scale, 16 bytes`: element i in the low nibble of byte i, element 16 + i in its high nibble; x = d (q − 8).
enum Q4_0Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 18 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 18
            let x = output + index &* 32
            let d = blockScale(block, 0)
            for i in 0..<16 {
                let pair = byte(block, 2 &+ i)
                x[i] = d * float(Int8(truncatingIfNeeded: pair & 0x0F) &- 8)
                x[16 &+ i] = d * float(Int8(truncatingIfNeeded: pair >> 4) &- 8)
            }
        }
    }
}

/// `scale, minimum, 16 bytes` as in Q4_0; x = d q + m.
enum Q4_1Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 20 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 20
            let x = output + index &* 32
            let d = blockScale(block, 0)
            let m = blockScale(block, 2)
            for i in 0..<16 {
                let pair = byte(block, 4 &+ i)
                x[i] = d * float(pair & 0x0F) + m
                x[16 &+ i] = d * float(pair >> 4) + m
            }
        }
    }
}

/// `scale, 32 fifth bits, 16 bytes` as in Q4_0, bit i the fifth bit of element i; x = d (q − 16).
enum Q5_0Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 22 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 22
            let x = output + index &* 32
            let d = blockScale(block, 0)
            let high = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
            for i in 0..<16 {
                let pair = Int32(truncatingIfNeeded: byte(block, 6 &+ i))
                let shift = UInt32(truncatingIfNeeded: i)
                let first = Int32(truncatingIfNeeded: (high &>> shift) & 1) << 4
                let second = Int32(truncatingIfNeeded: (high &>> (shift &+ 16)) & 1) << 4
                x[i] = d * Float((pair & 0x0F | first) &- 16)
                x[16 &+ i] = d * Float((pair >> 4 | second) &- 16)
            }
        }
    }
}

/// `scale, minimum, 32 fifth bits, 16 bytes` as in Q5_0; x = d q + m.
enum Q5_1Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 24 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 24
            let x = output + index &* 32
            let d = blockScale(block, 0)
            let m = blockScale(block, 2)
            let high = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            for i in 0..<16 {
                let pair = Int32(truncatingIfNeeded: byte(block, 8 &+ i))
                let shift = UInt32(truncatingIfNeeded: i)
                let first = Int32(truncatingIfNeeded: (high &>> shift) & 1) << 4
                let second = Int32(truncatingIfNeeded: (high &>> (shift &+ 16)) & 1) << 4
                x[i] = d * Float(pair & 0x0F | first) + m
                x[16 &+ i] = d * Float(pair >> 4 | second) + m
            }
        }
    }
}

/// `scale, 32 signed bytes`; x = q d.
enum Q8_0Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 34 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 34
            let x = output + index &* 32
            let d = blockScale(block, 0)
            for i in 0..<32 {
                x[i] = float(Int8(bitPattern: byte(block, 2 &+ i))) * d
            }
        }
    }
}
