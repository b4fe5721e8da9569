/// Conversions between binary32, binary16 and bfloat16 on bit patterns.
///
/// Written out because `Float16` does not exist in Swift on every machine that Meno builds on, and so that loops
/// over them become vector code. All narrowing rounds to nearest, ties to even; NaN stays NaN.
enum HalfPrecision {
    /// The value of a binary16 bit pattern; exact.
    @inline(__always)
    static func float(binary16 half: UInt16) -> Float {
        let wide = UInt32(truncatingIfNeeded: half)
        let sign = (wide & 0x8000) << 16
        let exponent = wide & 0x7C00
        let mantissa = wide & 0x03FF
        // Bias 15 becomes 127; an all-ones exponent (infinity, NaN) must become all ones again.
        let rebias: UInt32 = exponent == 0x7C00 ? (255 &- 31) << 23 : (127 &- 15) << 23
        let normal = ((wide & 0x7FFF) << 13) &+ rebias
        let subnormal = (Float(Int32(bitPattern: mantissa)) * 0x1p-24).bitPattern
        return Float(bitPattern: sign | (exponent == 0 ? subnormal : normal))
    }

    /// The value of a bfloat16 bit pattern; exact.
    @inline(__always)
    static func float(bfloat16 half: UInt16) -> Float {
        Float(bitPattern: UInt32(truncatingIfNeeded: half) << 16)
    }

    /// The nearest bfloat16.
    @inline(__always)
    static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16
        // Rounding could carry a NaN's payload into infinity or zero; the quiet bit keeps it a NaN.
        let quiet = (bits >> 16) | 0x0040
        return UInt16(truncatingIfNeeded: bits & 0x7FFF_FFFF > 0x7F80_0000 ? quiet : rounded)
    }

    /// The nearest binary16; values beyond its range become infinity.
    @inline(__always)
    static func binary16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = (bits >> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        // Normal: drop 13 bits of the mantissa after adding half a unit (less one bit, unless odd).
        let rebias = UInt32(bitPattern: Int32(15 - 127) << 23)
        let normal = (magnitude &+ rebias &+ 0x0FFF &+ ((magnitude >> 13) & 1)) >> 13
        // Subnormal: 0.5 has the last place that binary16's subnormals have, so the addition rounds for us.
        let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- Float(0.5).bitPattern
        let special: UInt32 = magnitude > 0x7F80_0000 ? 0x7E00 | ((magnitude >> 13) & 0x03FF) : 0x7C00
        let finite = magnitude < 0x3880_0000 ? subnormal : normal
        return UInt16(truncatingIfNeeded: sign | (magnitude >= 0x4780_0000 ? special : finite))
    }
}
