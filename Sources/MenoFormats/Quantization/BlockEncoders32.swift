// Blocks of 32 elements. Layouts as in ``Q4_0Decoder`` and its siblings; the order of the floating-point operations is that
// of the `gguf` Python package, so that the bytes are the same.

private let blockSize = 32

/// The scale, largest / divisor, and its inverse, the factor of the elements.
@inline(__always)
private func scales(_ largest: Float, _ divisor: Float) -> (scale: Float, inverse: Float) {
    let scale = largest / divisor
    return (scale, scale == 0 ? 0 : 1 / scale)
}

/// The first element of the largest magnitude, with its sign.
@inline(__always)
private func signedLargest(_ x: UnsafePointer<Float>) -> Float {
    let magnitude = largestMagnitude(x)
    for i in 0..<blockSize where x[i].bitPattern & 0x7FFF_FFFF == magnitude { return x[i] }
    return 0
}

/// The bits of the largest magnitude: those of floats are ordered as integers are, whose maximum is vector code.
@inline(__always)
private func largestMagnitude(_ x: UnsafePointer<Float>) -> UInt32 {
    var magnitude: UInt32 = 0
    for i in 0..<blockSize { magnitude = max(magnitude, x[i].bitPattern & 0x7FFF_FFFF) }
    return magnitude
}

@inline(__always)
private func smallestAndLargest(_ x: UnsafePointer<Float>) -> (Float, Float) {
    var (smallest, largest) = (x[0], x[0])
    for i in 1..<blockSize {
        smallest = x[i] < smallest ? x[i] : smallest
        largest = x[i] > largest ? x[i] : largest
    }
    return (smallest, largest)
}

/// The integer part of a future quantised element, at most `limit`.
@inline(__always)
private func quant(_ value: Float, limit: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: max(0, min(limit, FastRounding.integer(FastRounding.down(value)))))
}

/// Writes the low nibbles of elements i and 16 + i to byte i; returns the fifth bits, with that of element i in bit i.
@inline(__always)
private func storeNibbles(
    _ x: UnsafePointer<Float>, _ output: UnsafeMutableRawPointer, _ quant: (Float) -> UInt8
) -> UInt32 {
    var fifths: UInt32 = 0
    for i in 0..<16 {
        let (low, high) = (quant(x[i]), quant(x[16 &+ i]))
        storeByte((low & 0x0F) | (high << 4), output, i)
        fifths |= UInt32(low >> 4) << UInt32(i) | UInt32(high >> 4) << UInt32(16 &+ i)
    }
    return fifths
}

/// Quantises symmetrically around zero with one scale; `levels` is the code of the largest magnitude.
/// - Parameter quants: the offset of the nibbles in the block.
@inline(__always)
private func encodeAroundZero(
    _ x: UnsafePointer<Float>, _ block: UnsafeMutableRawPointer, quants: Int, levels: Float
) -> UInt32 {
    let (scale, inverse) = scales(signedLargest(x), -levels)
    storeHalf(HalfPrecision.binary16(scale), block, 0)
    return storeNibbles(x, block + quants) { quant($0 * inverse + (levels + 0.5), limit: Int32(2 * levels) &- 1) }
}

/// Quantises with one scale and the smallest value as the offset.
@inline(__always)
private func encodeFromSmallest(
    _ x: UnsafePointer<Float>, _ block: UnsafeMutableRawPointer, quants: Int, levels: Float
) -> UInt32 {
    let (smallest, largest) = smallestAndLargest(x)
    let (scale, inverse) = scales(largest - smallest, levels)
    storeHalf(HalfPrecision.binary16(scale), block, 0)
    storeHalf(HalfPrecision.binary16(smallest), block, 2)
    return storeNibbles(x, block + quants) { quant(($0 - smallest) * inverse + 0.5, limit: Int32(levels)) }
}

enum Q8_0Encoder: BlockEncoder {
    static var elements: Int { 32 }
    static var bytes: Int { 34 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let (scale, inverse) = scales(Float(bitPattern: largestMagnitude(x)), 127)
        storeHalf(HalfPrecision.binary16(scale), block, 0)
        for i in 0..<32 {
            let q = FastRounding.integer(FastRounding.away(x[i] * inverse))
            storeByte(UInt8(truncatingIfNeeded: q), block, 2 &+ i)
        }
    }
}

enum Q4_0Encoder: BlockEncoder {
    static var elements: Int { 32 }
    static var bytes: Int { 18 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        _ = encodeAroundZero(x, block, quants: 2, levels: 8)
    }
}

enum Q4_1Encoder: BlockEncoder {
    static var elements: Int { 32 }
    static var bytes: Int { 20 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        _ = encodeFromSmallest(x, block, quants: 4, levels: 15)
    }
}

enum Q5_0Encoder: BlockEncoder {
    static var elements: Int { 32 }
    static var bytes: Int { 22 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let fifths = encodeAroundZero(x, block, quants: 6, levels: 16)
        block.storeBytes(of: fifths.littleEndian, toByteOffset: 2, as: UInt32.self)
    }
}

enum Q5_1Encoder: BlockEncoder {
    static var elements: Int { 32 }
    static var bytes: Int { 24 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let fifths = encodeFromSmallest(x, block, quants: 8, levels: 31)
        block.storeBytes(of: fifths.littleEndian, toByteOffset: 4, as: UInt32.self)
    }
}
