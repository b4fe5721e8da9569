// "K" blocks of 256 elements. Layouts as in ``Q4_KDecoder`` and its siblings.

/// Scales and minima of eight groups of 32 elements, as Q4_K and Q5_K store them: six bits each, times d and dmin.
private struct GroupScales {
    var d: UInt16
    var dmin: UInt16
    var packed: (UInt64, UInt32)
    /// What a group's elements are multiplied by, and what is taken from them, as they will be decoded.
    var scales: SIMD8<Float>
    var minima: SIMD8<Float>

    @inline(__always)
    init(_ x: UnsafePointer<Float>, levels: Float, range: Float, steps: Int) {
        var scales = SIMD8<Float>(repeating: 0)
        var minima = SIMD8<Float>(repeating: 0)
        for group in 0..<8 {
            let fit = AsymmetricFit(x + group &* 32, levels: levels, range: range, steps: steps)
            scales[group] = fit.scale
            minima[group] = fit.minimum
        }
        let (largestScale, largestMinimum) = (scales.max(), minima.max())
        d = HalfPrecision.binary16(largestScale / 63)
        dmin = HalfPrecision.binary16(largestMinimum / 63)
        let wholeScales = Self.sixBits(scales, largestScale)
        let wholeMinima = Self.sixBits(minima, largestMinimum)
        self.scales = wholeScales * HalfPrecision.float(binary16: d)
        self.minima = wholeMinima * HalfPrecision.float(binary16: dmin)
        var bytes = (UInt64(0), UInt32(0))
        for group in 0..<8 {
            let scale = UInt8(truncatingIfNeeded: FastRounding.integer(wholeScales[group]))
            let minimum = UInt8(truncatingIfNeeded: FastRounding.integer(wholeMinima[group]))
            if group < 4 {
                bytes.0 |= UInt64(scale) << UInt64(8 &* group) | UInt64(minimum) << UInt64(32 &+ 8 &* group)
            } else {
                let place = 8 &* (group &- 4)
                bytes.0 |=
                    UInt64(scale & 0x30) << UInt64(place &+ 2) | UInt64(minimum & 0x30) << UInt64(32 &+ place &+ 2)
                bytes.1 |= UInt32((scale & 0x0F) | (minimum & 0x0F) << 4) << UInt32(place)
            }
        }
        packed = bytes
    }

    @inline(__always)
    private static func sixBits(_ values: SIMD8<Float>, _ largest: Float) -> SIMD8<Float> {
        guard largest > 0 else { return SIMD8(repeating: 0) }
        let whole = (values * (63 / largest) + FastRounding.magic) - FastRounding.magic
        return whole.replacing(with: 63, where: whole .> 63)
    }

    @inline(__always)
    func store(_ block: UnsafeMutableRawPointer) {
        storeHalf(d, block, 0)
        storeHalf(dmin, block, 2)
        block.storeBytes(of: packed.0.littleEndian, toByteOffset: 4, as: UInt64.self)
        block.storeBytes(of: packed.1.littleEndian, toByteOffset: 12, as: UInt32.self)
    }

    /// Elements of two groups that share bytes, as whole numbers of their groups' scales.
    @inline(__always)
    func quants(_ x: UnsafePointer<Float>, _ pair: Int, _ i: Int, levels: Int32) -> (low: UInt8, high: UInt8) {
        (
            quant(x[pair &* 64 &+ i], group: 2 &* pair, levels: levels),
            quant(x[pair &* 64 &+ 32 &+ i], group: 2 &* pair &+ 1, levels: levels)
        )
    }

    @inline(__always)
    private func quant(_ value: Float, group: Int, levels: Int32) -> UInt8 {
        let scale = scales[group]
        guard scale > 0 else { return 0 }
        let whole = FastRounding.even((value + minima[group]) / scale)
        // What is too far away to be rounded so is beyond the limits anyway.
        let q = whole <= 0 ? 0 : whole >= Float(levels) ? levels : FastRounding.integer(whole)
        return UInt8(truncatingIfNeeded: q)
    }
}

enum Q4_KEncoder: BlockEncoder {
    static var elements: Int { 256 }
    static var bytes: Int { 144 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scales = GroupScales(x, levels: 15, range: -1, steps: 20)
        scales.store(block)
        for pair in 0..<4 {
            for i in 0..<32 {
                let (low, high) = scales.quants(x, pair, i, levels: 15)
                storeByte(low | high << 4, block, 16 &+ pair &* 32 &+ i)
            }
        }
    }
}

enum Q5_KEncoder: BlockEncoder {
    static var elements: Int { 256 }
    static var bytes: Int { 176 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scales = GroupScales(x, levels: 31, range: -0.5, steps: 15)
        scales.store(block)
        for i in 0..<32 {
            var fifths: UInt8 = 0
            for pair in 0..<4 {
                let (low, high) = scales.quants(x, pair, i, levels: 31)
                storeByte((low & 0x0F) | high << 4, block, 48 &+ pair &* 32 &+ i)
                fifths |= (low >> 4) << UInt8(2 &* pair) | (high >> 4) << UInt8(2 &* pair &+ 1)
            }
            storeByte(fifths, block, 16 &+ i)
        }
    }
}

enum Q6_KEncoder: BlockEncoder {
    static var elements: Int { 256 }
    static var bytes: Int { 210 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        var scales = SIMD16<Float>(repeating: 0)
        var extreme: Float = 0
        for group in 0..<16 {
            let scale = SymmetricFit(x + group &* 16, levels: 32).scale
            scales[group] = scale
            if Swift.abs(scale) > Swift.abs(extreme) { extreme = scale }
        }
        let d = HalfPrecision.binary16(extreme / -128)
        let inverse = extreme == 0 ? 0 : -128 / extreme
        storeHalf(d, block, 208)
        var quants: (low: UInt8, high: UInt8)
        for half in 0..<2 {
            for place in 0..<32 {
                quants = (0, 0)
                var high: UInt8 = 0
                // Four rows of 32 elements share 64 bytes of low nibbles and 32 of high bits.
                for row in 0..<4 {
                    let element = half &* 128 &+ row &* 32 &+ place
                    let group = element >> 4
                    let whole = min(127, FastRounding.even(scales[group] * inverse))
                    let scale = HalfPrecision.float(binary16: d) * whole
                    if place & 15 == 0 {
                        storeByte(UInt8(truncatingIfNeeded: FastRounding.integer(whole)), block, 192 &+ group)
                    }
                    let q = scale == 0 ? 32 : quant(x[element] / scale)
                    if row & 1 == 0 {
                        quants.low |= (q & 0x0F) << UInt8(2 &* row)
                    } else {
                        quants.high |= (q & 0x0F) << UInt8(2 &* (row &- 1))
                    }
                    high |= (q >> 4) << UInt8(2 &* row)
                }
                storeByte(quants.low, block, half &* 64 &+ place)
                storeByte(quants.high, block, half &* 64 &+ 32 &+ place)
                storeByte(high, block, 128 &+ half &* 32 &+ place)
            }
        }
    }

    /// The nearest of −32 … 31, plus 32.
    @inline(__always)
    private static func quant(_ value: Float) -> UInt8 {
        let whole = FastRounding.even(value)
        let q = whole <= -32 ? -32 : whole >= 31 ? 31 : FastRounding.integer(whole)
        return UInt8(truncatingIfNeeded: q &+ 32)
    }
}
