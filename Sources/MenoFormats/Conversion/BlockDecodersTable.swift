// Blocks whose quants are indices of sixteen values, two in a byte. Layouts as in ggml-common.h; the order of the floating-point
// operations is that of the `gguf` Python package.

/// The values of IQ4_NL and IQ4_XS: denser near zero.
private let nonlinearValues: [Float] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]

/// The values of MXFP4, doubled: numbers of four bits with two of exponent (Open Compute Project, Microscaling Formats, 1.0).
private let microscalingValues: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

/// Decodes 32 elements of 16 bytes: element i in the low nibble of byte i, element 16 + i in its high nibble.
@inline(__always)
private func lookUp(
    _ table: UnsafeBufferPointer<Float>, _ quants: UnsafeRawPointer, scale: Float, into x: UnsafeMutablePointer<Float>
) {
    for i in 0..<16 {
        let pair = byte(quants, i)
        x[i] = scale * table[Int(pair & 0x0F)]
        x[16 &+ i] = scale * table[Int(pair >> 4)]
    }
}

/// `scale, 16 bytes`; x = d · value of q.
enum IQ4_NLDecoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 18 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        nonlinearValues.withUnsafeBufferPointer { table in
            for index in 0..<blocks {
                let block = source + index &* 18
                lookUp(table, block + 2, scale: blockScale(block, 0), into: output + index &* 32)
            }
        }
    }
}

/// `d, 16 bits with the two high bits of eight scales, 4 bytes with their low nibbles, 128 bytes`, 16 for each 32 elements;
/// x = d (scale − 32) · value of q.
enum IQ4_XSDecoder: BlockDecoder {
    static var elements: Int { 256 }
    static var bytes: Int { 136 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        nonlinearValues.withUnsafeBufferPointer { table in
            for index in 0..<blocks {
                let block = source + index &* 136
                let d = blockScale(block, 0)
                for part in 0..<8 {
                    let scale = d * float(scale(block, part))
                    lookUp(table, block + (8 &+ part &* 16), scale: scale, into: output + (index &* 256 &+ part &* 32))
                }
            }
        }
    }

    @inline(__always)
    private static func scale(_ block: UnsafeRawPointer, _ index: Int) -> Int8 {
        let low = (byte(block, 4 &+ index >> 1) &>> UInt8(truncatingIfNeeded: (index & 1) << 2)) & 0x0F
        let high = (byte(block, 2 &+ index >> 2) &>> UInt8(truncatingIfNeeded: (index & 3) << 1)) & 0x03
        return Int8(bitPattern: low | (high << 4)) &- 32
    }
}

/// `exponent, 16 bytes`; x = 2^(exponent − 128) · value of q.
enum MXFP4Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 17 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        microscalingValues.withUnsafeBufferPointer { table in
            for index in 0..<blocks {
                let block = source + index &* 17
                lookUp(table, block + 1, scale: scale(byte(block, 0)), into: output + index &* 32)
            }
        }
    }

    /// Half of 2^(exponent − 127); the two smallest are subnormal.
    @inline(__always)
    private static func scale(_ exponent: UInt8) -> Float {
        let exponent = UInt32(exponent)
        return Float(bitPattern: exponent < 2 ? 0x0020_0000 << exponent : (exponent &- 1) << 23)
    }
}
