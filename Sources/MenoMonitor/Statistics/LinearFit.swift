internal import Foundation

/// A straight line through points by least squares, with how sure its slope is.
struct LinearFit: Hashable {
    let slope: Double
    /// Of the slope.
    let standardError: Double
    /// Of the values.
    let mean: Double
    /// From the first to the last abscissa.
    let span: Double
    let degreesOfFreedom: Int

    /// `nil` below four points, or where all lie at one abscissa.
    init?(_ points: some Collection<Point>) {
        guard points.count >= 4 else { return nil }
        let count = Double(points.count)
        let steps = points.map { Double($0.step) }
        let center = steps.reduce(0, +) / count
        let mean = points.reduce(0) { $0 + $1.value } / count
        var (xx, xy, yy) = (0.0, 0.0, 0.0)
        for (step, point) in zip(steps, points) {
            let (x, y) = (step - center, point.value - mean)
            xx += x * x
            xy += x * y
            yy += y * y
        }
        guard xx > 0, xx.isFinite, yy.isFinite, let least = steps.min(), let most = steps.max() else { return nil }
        slope = xy / xx
        degreesOfFreedom = points.count - 2
        standardError = (max(0, yy - xy * xy / xx) / Double(degreesOfFreedom) / xx).squareRoot()
        self.mean = mean
        span = most - least
    }

    /// How much the line changes over its span, with the bounds that it lies above, and below, at a one-sided
    /// confidence.
    func change(confidence: Double) -> (estimate: Double, lower: Double, upper: Double) {
        let margin = Self.studentQuantile(confidence, degreesOfFreedom: degreesOfFreedom) * standardError * span
        return (slope * span, slope * span - margin, slope * span + margin)
    }

    /// Student's t by the Cornish-Fisher expansion around the normal quantile (Abramowitz & Stegun 26.7.5); within 2 %
    /// from two degrees of freedom on.
    static func studentQuantile(_ probability: Double, degreesOfFreedom: Int) -> Double {
        let z = normalQuantile(probability)
        let n = Double(max(1, degreesOfFreedom))
        let (z3, z5, z7) = (pow(z, 3), pow(z, 5), pow(z, 7))
        return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n)
            + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n)
            + (79 * pow(z, 9) + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * n * n * n * n)
    }

    /// By bisection: it is asked for rarely.
    static func normalQuantile(_ probability: Double) -> Double {
        var (low, high) = (-10.0, 10.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if erfc(-middle / 2.0.squareRoot()) / 2 < probability { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
