internal import Foundation

/// A number with its derivatives with respect to the log-probabilities of a chosen and of a rejected completion.
///
/// Losses of preferences are functions of two numbers; each is written down once, and its gradient follows.
struct Dual: Sendable, Hashable {
    var value: Double
    var chosen = 0.0
    var rejected = 0.0

    init(_ value: Double, chosen: Double = 0, rejected: Double = 0) {
        self.value = value
        self.chosen = chosen
        self.rejected = rejected
    }

    /// A function of this number.
    /// - Parameter slope: the function's derivative here.
    private func mapped(_ value: Double, slope: Double) -> Dual {
        Dual(value, chosen: slope * chosen, rejected: slope * rejected)
    }

    static func + (a: Dual, b: Dual) -> Dual {
        Dual(a.value + b.value, chosen: a.chosen + b.chosen, rejected: a.rejected + b.rejected)
    }

    static func - (a: Dual, b: Dual) -> Dual { a + -b }

    static func - (number: Double, a: Dual) -> Dual { Dual(number) - a }

    static func - (a: Dual, number: Double) -> Dual { a - Dual(number) }

    static func + (a: Dual, number: Double) -> Dual { a + Dual(number) }

    static prefix func - (a: Dual) -> Dual { -1.0 * a }

    static func * (factor: Double, a: Dual) -> Dual { a.mapped(factor * a.value, slope: factor) }

    static func * (a: Dual, b: Dual) -> Dual {
        Dual(
            a.value * b.value, chosen: a.value * b.chosen + b.value * a.chosen,
            rejected: a.value * b.rejected + b.value * a.rejected)
    }

    static func / (a: Dual, divisor: Double) -> Dual { (1 / divisor) * a }

    var squared: Dual { mapped(value * value, slope: 2 * value) }

    var exponential: Dual { mapped(exp(value), slope: exp(value)) }

    /// max(0, x). Its derivative at 0 is 0, as torch has it.
    var rectified: Dual { value > 0 ? self : Dual(0) }

    /// 1 / (1 + e⁻ˣ)
    var sigmoid: Dual {
        let sigmoid = Self.sigmoid(value)
        return mapped(sigmoid, slope: sigmoid * Self.sigmoid(-value))
    }

    /// log σ(x), for any x without overflow.
    var logSigmoid: Dual {
        mapped(min(value, 0) - log1p(exp(-abs(value))), slope: Self.sigmoid(-value))
    }

    /// log(1 − eˣ), for x < 0 (Mächler, 2012, "Accurately computing log(1 − exp(−|a|))").
    var logOneMinusExponential: Dual {
        let logarithm = value > -0.693147180559945309 ? log(-expm1(value)) : log1p(-exp(value))
        return mapped(logarithm, slope: exp(value) / expm1(value))
    }

    private static func sigmoid(_ x: Double) -> Double {
        x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
    }
}
