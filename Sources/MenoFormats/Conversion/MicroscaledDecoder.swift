/// Floating-point numbers of four bits, 32 of which have a power of two in common (MXFP4, OCP Microscaling Formats 1.0).
enum Microscaled {
    /// The sixteen values.
    static let values: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]

    /// 2^(exponent − 127).
    @inline(__always)
    static func scale(_ exponent: UInt8) -> Float {
        // The smallest is no normal number.
        exponent == 0 ? Float(bitPattern: 0x0040_0000) : Float(bitPattern: UInt32(exponent) << 23)
    }
}

/// ggml's `exponent, 16 bytes`: element i in the low nibble of byte i, element 16 + i in its high nibble.
enum MXFP4Decoder: BlockDecoder {
    static var elements: Int { 32 }
    static var bytes: Int { 17 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        Microscaled.values.withUnsafeBufferPointer { values in
            for index in 0..<blocks {
                let block = source + index &* 17
                let x = output + index &* 32
                let scale = Microscaled.scale(byte(block, 0))
                for i in 0..<16 {
                    let pair = byte(block, 1 &+ i)
                    x[i] = scale * values[Int(pair & 0x0F)]
                    x[16 &+ i] = scale * values[Int(pair >> 4)]
                }
            }
        }
    }
}
