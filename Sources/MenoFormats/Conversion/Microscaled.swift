/// Four-bit floating-point numbers, in groups of 32 with a common power of two (MXFP4, OCP Microscaling Formats 1.0).
enum Microscaled {
    /// The sixteen values.
    static let values: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]

    /// 2^(exponent − 127).
    @inline(__always)
    static func scale(_ exponent: UInt8) -> Float {
        // The smallest is subnormal.
        exponent == 0 ? Float(bitPattern: 0x0040_0000) : Float(bitPattern: UInt32(exponent) << 23)
    }
}
