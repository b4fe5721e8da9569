internal import Foundation

/// Where the values of an axis stand, from 0 to 1, and the values that are written beside it.
struct Scale {
    let range: ClosedRange<Double>
    let ticks: [Double]
    let isLogarithmic: Bool

    /// - Parameters:
    ///   - values: what is to be seen; those that are not finite, or not above 0 on a logarithmic axis, are not.
    ///   - isTight: whether the axis ends where the values do, not at a tick.
    init(_ values: [Double], isLogarithmic: Bool = false, isTight: Bool = false, count: Int = 5) {
        // A model that falls apart has perplexities near the largest number; twice that is none.
        let smallest = isLogarithmic ? 1 / Self.largest : -Self.largest
        let seen = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
            .map { min(Self.largest, max(smallest, $0)) }
        var (low, high) = (seen.min() ?? 0, seen.max() ?? 1)
        if low == high, !isLogarithmic {
            // A value by itself stands in the middle.
            let reach = max(abs(low), 1) / 10
            (low, high) = (low - reach, high + reach)
        }
        // Less than a tenfold is better read on a linear axis; so is nothing at all, where no value can be seen.
        self.isLogarithmic = isLogarithmic && low > 0 && high / low >= 10
        if self.isLogarithmic {
            let reach = pow(high / low, 0.04)
            range = low / reach...high * reach
            ticks = Self.logarithmicTicks(range, count: count)
            return
        }
        let spread = high > low ? high - low : max(abs(high), 1)
        let step = Self.niceStep(spread / Double(count))
        let from = isTight ? low : (low / step).rounded(.down) * step
        let to = isTight ? max(high, low + step) : max((high / step).rounded(.up) * step, from + step)
        range = from...to
        let first = (from / step).rounded(.up)
        ticks = (0...2 * count).map { (first + Double($0)) * step }.filter { $0 <= to + step * 1e-6 }
    }

    /// Beyond it nothing is told apart.
    private static let largest = 1e150

    /// 1, 2 and 5 times powers of ten, or only the powers where those would be too many.
    private static func logarithmicTicks(_ range: ClosedRange<Double>, count: Int) -> [Double] {
        let decades = Int(log10(range.lowerBound).rounded(.down))...Int(log10(range.upperBound).rounded(.up))
        let ticks = { (factors: [Double], every: Int) in
            decades.filter { $0 % every == 0 }.flatMap { decade in factors.map { $0 * pow(10, Double(decade)) } }
                .filter(range.contains)
        }
        let fine = ticks([1, 2, 5], 1)
        return fine.count <= count + 2 ? fine : ticks([1], max(1, (decades.count + count - 1) / count))
    }

    /// From 0 at the lower end to 1 at the upper; within them.
    func position(_ value: Double) -> Double {
        let (low, high, value) =
            isLogarithmic
            ? (log10(range.lowerBound), log10(range.upperBound), log10(max(value, .leastNonzeroMagnitude)))
            : (range.lowerBound, range.upperBound, value)
        guard high > low else { return 0.5 }
        return min(1, max(0, (value - low) / (high - low)))
    }

    /// 1, 2 or 5 times a power of ten: the first that is not below `step`.
    static func niceStep(_ step: Double) -> Double {
        guard step.isFinite, step > 0 else { return 1 }
        let power = pow(10, log10(step).rounded(.down))
        return ([1, 2, 5].first { $0 * power >= step * (1 - 1e-9) } ?? 10) * power
    }

    /// A number as short as it can be written beside an axis.
    static func label(_ value: Double) -> String {
        if value == 0 { return "0" }
        let size = abs(value)
        if size >= 1e6 || size < 1e-3 {
            let parts = String(format: "%.3g", value).split(separator: "e")
            guard parts.count == 2, let exponent = Int(parts[1]) else { return String(format: "%.3g", value) }
            return "\(parts[0])e\(exponent)"
        }
        return String(format: "%.6g", (value * 1e9).rounded() / 1e9)
    }
}
