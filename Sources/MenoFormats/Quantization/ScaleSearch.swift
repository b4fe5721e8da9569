// The search for scales of the "K" types, as llama.cpp makes it: of a row of candidate scales around the one that spans the
// values, each is tried by rounding the values with it and fitting scale (and minimum) to what they were rounded to by weighted
// least squares; the fit with the least weighted error is taken.

/// Eight values at a time; 32 elements are four of them.
typealias Lane = SIMD8<Float>

extension UnsafePointer<Float> {
    @inline(__always)
    func lane(_ index: Int) -> Lane { UnsafeRawPointer(self).loadUnaligned(fromByteOffset: index &* 32, as: Lane.self) }
}

@inline(__always)
private func rounded(_ lane: Lane, from low: Float, to high: Float) -> Lane {
    let whole = (lane + FastRounding.magic) - FastRounding.magic
    let raised = whole.replacing(with: low, where: whole .< low)
    return raised.replacing(with: high, where: raised .> high)
}

/// x ≈ scale · q − minimum, with q from 0 to `levels` and a minimum that is not negative.
struct AsymmetricFit {
    var scale: Float = 0
    var minimum: Float = 0
    var error = Float.infinity

    /// - Parameters:
    ///   - x: 32 values.
    ///   - levels: the largest q: 15 or 31.
    ///   - range, steps: candidates are (levels + range + 0.1 · step) / (largest − smallest).
    @inline(__always)
    init(_ x: UnsafePointer<Float>, levels: Float, range: Float, steps: Int) {
        let values = (x.lane(0), x.lane(1), x.lane(2), x.lane(3))
        // Larger values count for more, on the floor of the values' root mean square.
        let squares = (values.0 * values.0 + values.1 * values.1 + values.2 * values.2 + values.3 * values.3).sum()
        let floor = (squares / 32).squareRoot()
        let weights = (
            Self.magnitude(values.0) + floor, Self.magnitude(values.1) + floor, Self.magnitude(values.2) + floor,
            Self.magnitude(values.3) + floor
        )
        var (smallest, largest) = (x[0], x[0])
        for i in 1..<32 {
            smallest = x[i] < smallest ? x[i] : smallest
            largest = x[i] > largest ? x[i] : largest
        }
        smallest = smallest > 0 ? 0 : smallest
        guard largest > smallest, (largest - smallest).isFinite else {
            minimum = -smallest
            return
        }
        var sums = WeightedSums(
            weight: (weights.0 + weights.1 + weights.2 + weights.3).sum(),
            x: (weights.0 * values.0 + weights.1 * values.1 + weights.2 * values.2 + weights.3 * values.3).sum())
        // The values rounded by a scale, from a lowest value on.
        let attempt = { (inverse: Float, low: Float) -> (Lane, Lane, Lane, Lane) in
            (
                rounded((values.0 - low) * inverse, from: 0, to: levels),
                rounded((values.1 - low) * inverse, from: 0, to: levels),
                rounded((values.2 - low) * inverse, from: 0, to: levels),
                rounded((values.3 - low) * inverse, from: 0, to: levels)
            )
        }
        let consider = { (q: (Lane, Lane, Lane, Lane), fit: inout AsymmetricFit, sums: inout WeightedSums) in
            let w = (weights.0 * q.0, weights.1 * q.1, weights.2 * q.2, weights.3 * q.3)
            sums.q = (w.0 + w.1 + w.2 + w.3).sum()
            sums.qq = (w.0 * q.0 + w.1 * q.1 + w.2 * q.2 + w.3 * q.3).sum()
            sums.qx = (w.0 * values.0 + w.1 * values.1 + w.2 * values.2 + w.3 * values.3).sum()
            guard let (scale, low) = sums.solution else { return }
            let d = (
                q.0 * scale + low - values.0, q.1 * scale + low - values.1, q.2 * scale + low - values.2,
                q.3 * scale + low - values.3
            )
            let error =
                (weights.0 * d.0 * d.0 + weights.1 * d.1 * d.1 + weights.2 * d.2 * d.2 + weights.3 * d.3 * d.3).sum()
            if error < fit.error { (fit.scale, fit.minimum, fit.error) = (scale, -low, error) }
        }
        var best = AsymmetricFit()
        let span = largest - smallest
        for step in 0...steps {
            consider(attempt((levels + range + 0.1 * Float(step)) / span, smallest), &best, &sums)
        }
        consider(attempt(levels / span, smallest), &best, &sums)
        // The best fit, rounded with itself, may fit better still.
        for _ in 0..<4 {
            let before = best.error
            guard best.scale > 0 else { break }
            consider(attempt(1 / best.scale, -best.minimum), &best, &sums)
            if best.error >= before { break }
        }
        self = best.scale > 0 ? best : AsymmetricFit(scale: span / levels, minimum: -smallest)
    }

    private init(scale: Float = 0, minimum: Float = 0) {
        self.scale = scale
        self.minimum = minimum
    }

    @inline(__always)
    private static func magnitude(_ lane: Lane) -> Lane { lane.replacing(with: -lane, where: lane .< 0) }

    private struct WeightedSums {
        var weight: Float
        var x: Float
        var q: Float = 0
        var qq: Float = 0
        var qx: Float = 0

        /// The weighted least squares of x ≈ scale · q + low, with low at most 0.
        var solution: (scale: Float, low: Float)? {
            let determinant = weight * qq - q * q
            guard determinant > 0 else { return nil }
            let low = (qq * x - q * qx) / determinant
            guard low > 0 else { return ((weight * qx - x * q) / determinant, low) }
            return qq > 0 ? (qx / qq, 0) : nil
        }
    }
}

/// x ≈ scale · q with q from −`levels` to `levels` − 1.
struct SymmetricFit {
    var scale: Float = 0

    /// - Parameter x: 16 values, weighted by their squares.
    @inline(__always)
    init(_ x: UnsafePointer<Float>, levels: Float) {
        let values = (x.lane(0), x.lane(1))
        var extreme: Float = 0
        for i in 0..<16 where Swift.abs(x[i]) > Swift.abs(extreme) { extreme = x[i] }
        // Smaller ones could not be stored.
        guard Swift.abs(extreme) >= 1e-15, extreme.isFinite else { return }
        let weights = (values.0 * values.0, values.1 * values.1)
        let weighted = (weights.0 * values.0, weights.1 * values.1)
        var gain: Float = 0
        for step in -9...9 {
            let inverse = -(levels + 0.1 * Float(step)) / extreme
            let q = (
                rounded(values.0 * inverse, from: -levels, to: levels - 1),
                rounded(values.1 * inverse, from: -levels, to: levels - 1)
            )
            let qx = (weighted.0 * q.0 + weighted.1 * q.1).sum()
            let qq = (weights.0 * q.0 * q.0 + weights.1 * q.1 * q.1).sum()
            // What the error falls by: Σwx² is the same for all.
            if qq > 0, qx * qx > gain * qq { (scale, gain) = (qx / qq, qx * qx / qq) }
        }
    }
}
