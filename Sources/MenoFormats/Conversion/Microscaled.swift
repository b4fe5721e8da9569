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
