// "K" blocks of 256 elements, with a scale for every 32 (Q4_K, Q5_K) or 16 (Q6_K) elements.
// Layouts as in ggml-common.h; the order of the floating-point operations is that of the `gguf` Python package.

/// The eight 6-bit scales and minima that Q4_K and Q5_K pack into 12 bytes.
///
/// Bytes 0–3 and 4–7 hold the low six bits of scales and minima 0–3, and in their two top bits the top of scales and
/// minima 4–7, whose low four bits share bytes 8–11 (scale in the low nibble).
@inline(__always)
private func scaleAndMinimum(_ packed: UnsafeRawPointer, _ index: Int) -> (scale: UInt8, minimum: UInt8) {
    guard index >= 4 else { return (byte(packed, index) & 0x3F, byte(packed, index &+ 4) & 0x3F) }
    let low = byte(packed, index &+ 4)
    return (
        (low & 0x0F) | ((byte(packed, index &- 4) >> 2) & 0x30),
        (low >> 4) | ((byte(packed, index) >> 2) & 0x30)
    )
}

/// `d, dmin, 12 bytes of scales, 128 bytes`: each 32 bytes hold 32 elements in the low and the next 32 in the high
/// nibbles; x = (d · scale) q − (dmin · minimum).
enum Q4_KDecoder: BlockDecoder {
    static var elements: Int { 256 }
    static var bytes: Int { 144 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 144
            let d = blockScale(block, 0)
            let dmin = blockScale(block, 2)
            for group in 0..<4 {
                let quants = block + (16 &+ group &* 32)
                let x = output + (index &* 256 &+ group &* 64)
                let low = scaleAndMinimum(block + 4, 2 &* group)
                let high = scaleAndMinimum(block + 4, 2 &* group &+ 1)
                let lowScale = d * float(low.scale)
                let lowMinimum = dmin * float(low.minimum)
                let highScale = d * float(high.scale)
                let highMinimum = dmin * float(high.minimum)
                for i in 0..<32 {
                    let pair = byte(quants, i)
                    x[i] = lowScale * float(pair & 0x0F) - lowMinimum
                    x[32 &+ i] = highScale * float(pair >> 4) - highMinimum
                }
            }
        }
    }
}

/// `d, dmin, 12 bytes of scales, 32 bytes of fifth bits, 128 bytes` as in Q4_K; bit g of fifth-bit byte i belongs to
/// element i of the g-th 32.
enum Q5_KDecoder: BlockDecoder {
    static var elements: Int { 256 }
    static var bytes: Int { 176 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 176
            let d = blockScale(block, 0)
            let dmin = blockScale(block, 2)
            for group in 0..<4 {
                let quants = block + (48 &+ group &* 32)
                let x = output + (index &* 256 &+ group &* 64)
                let low = scaleAndMinimum(block + 4, 2 &* group)
                let high = scaleAndMinimum(block + 4, 2 &* group &+ 1)
                let lowScale = d * float(low.scale)
                let lowMinimum = dmin * float(low.minimum)
                let highScale = d * float(high.scale)
                let highMinimum = dmin * float(high.minimum)
                let shift = UInt8(truncatingIfNeeded: 2 &* group)
                for i in 0..<32 {
                    let pair = byte(quants, i)
                    let fifth = byte(block, 16 &+ i) &>> shift
                    x[i] = lowScale * float((pair & 0x0F) | ((fifth & 1) << 4)) - lowMinimum
                    x[32 &+ i] = highScale * float((pair >> 4) | ((fifth & 2) << 3)) - highMinimum
                }
            }
        }
    }
}

/// `128 bytes of low nibbles, 64 bytes of two high bits each, 16 signed scales, d`, in two halves of 128 elements;
/// x = (d · scale) (q − 32).
enum Q6_KDecoder: BlockDecoder {
    static var elements: Int { 256 }
    static var bytes: Int { 210 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 210
            let d = blockScale(block, 208)
            // A row is 32 elements: rows 0–3 of the first half, then 4–7 of the second.
            for row in 0..<8 {
                let half = row >> 2
                let low = block + (half &* 64 &+ (row & 1) &* 32)
                let lowShift = UInt8(truncatingIfNeeded: (row & 2) << 1)
                let high = block + (128 &+ half &* 32)
                let highShift = UInt8(truncatingIfNeeded: (row & 3) << 1)
                for part in 0..<2 {
                    let scale = d * float(Int8(bitPattern: byte(block, 192 &+ row &* 2 &+ part)))
                    let start = part &* 16
                    let x = output + (index &* 256 &+ row &* 32 &+ start)
                    for i in 0..<16 {
                        let q =
                            ((byte(low, start &+ i) &>> lowShift) & 0x0F)
                            | (((byte(high, start &+ i) &>> highShift) & 0x03) << 4)
                        x[i] = scale * float(Int8(truncatingIfNeeded: q) &- 32)
                    }
                }
            }
        }
    }
}
