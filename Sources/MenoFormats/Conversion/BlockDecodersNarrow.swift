// "K" blocks of 256 elements in two and three bits, with a scale for each 16 elements. Layouts as in ggml-common.h; the order
// of the floating-point operations is that of the `gguf` Python package.

/// `16 bytes of scales and minima, 64 bytes, d, dmin`: each 32 bytes hold four times 32 elements, two bits each;
/// x = (d · scale) q − (dmin · minimum).
enum Q2_KDecoder: BlockDecoder {
    static var elements: Int { 256 }
    static var bytes: Int { 84 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 84
            let d = blockScale(block, 80)
            let dmin = blockScale(block, 82)
            for part in 0..<16 {
                let both = byte(block, part)
                let scale = d * float(both & 0x0F)
                let minimum = dmin * float(both >> 4)
                let quants = block + (16 &+ part >> 3 &* 32 &+ (part & 1) &* 16)
                let shift = UInt8(truncatingIfNeeded: part & 0x06)
                let x = output + (index &* 256 &+ part &* 16)
                for i in 0..<16 { x[i] = scale * float((byte(quants, i) &>> shift) & 0x03) - minimum }
            }
        }
    }
}

/// `32 bytes of third bits, 64 bytes as in Q2_K, 12 bytes with sixteen scales of six bits, d`; bit g of third-bit byte i belongs
/// to element i of the g-th 32, which is 4 less where it is 0; x = (d (scale − 32)) q.
enum Q3_KDecoder: BlockDecoder {
    static var elements: Int { 256 }
    static var bytes: Int { 110 }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = source + index &* 110
            let d = blockScale(block, 108)
            for part in 0..<16 {
                let scale = d * float(scale(block + 96, part))
                let start = (part & 1) &* 16
                let quants = block + (32 &+ part >> 3 &* 32 &+ start)
                let shift = UInt8(truncatingIfNeeded: part & 0x06)
                let thirds = block + start
                let place = UInt8(truncatingIfNeeded: part >> 1)
                let x = output + (index &* 256 &+ part &* 16)
                for i in 0..<16 {
                    let third = (~byte(thirds, i) &>> place) & 1
                    let low = (byte(quants, i) &>> shift) & 0x03
                    x[i] = scale * float(Int8(bitPattern: low) &- Int8(bitPattern: third << 2))
                }
            }
        }
    }

    /// The low nibbles of scales 0–7 and 8–15 share bytes 0–7; bytes 8–11 hold the two high bits of scales k, 4 + k, 8 + k, 12 + k.
    @inline(__always)
    private static func scale(_ packed: UnsafeRawPointer, _ index: Int) -> Int8 {
        let low = (byte(packed, index & 7) &>> UInt8(truncatingIfNeeded: (index >> 3) << 2)) & 0x0F
        let high = (byte(packed, 8 &+ (index & 3)) &>> UInt8(truncatingIfNeeded: (index >> 2) << 1)) & 0x03
        return Int8(bitPattern: low | (high << 4)) &- 32
    }
}
