internal import Foundation
internal import MenoTensor

extension PositionSlopes {
    /// The bias to add to the scores of keys at positions from 0, `[heads, 1, keys]` in float32.
    func bias(keys: Int) throws -> Tensor {
        let slopes = try Tensor(slopes).unsqueezed(1)
        let positions = try Tensor((0..<keys).map(Float.init)).unsqueezed(0)
        var bias = try (isRounded ? slopes.to(.bfloat16).to(.float32) : slopes) * positions
        if isRounded { bias = try bias.to(.bfloat16).to(.float32) }
        return try (bias * scale).unsqueezed(1)
    }

    /// The slopes of Bloom and Falcon: powers of 2^(−8/n), with values in between where n is not a power of two.
    static func geometric(heads: Int) -> [Float] {
        let power = 1 << Int(log2(Double(max(heads, 1))))
        let series = { (count: Int) in
            let base = Float(exp2(-exp2(-(log2(Double(count)) - 3))))
            return { (exponent: Int) in powf(base, Float(exponent)) }
        }
        let whole = (1...power).map(series(power))
        guard power < heads else { return whole }
        let between = stride(from: 1, to: 1 + 2 * min(power, heads - power), by: 2).map(series(2 * power))
        return whole + between
    }

    /// The slopes of MPT: those of the next power of two, with every second one first.
    static func alternating(heads: Int, largest: Double) -> [Float] {
        let power = 1 << Int(log2(Double(max(heads, 1))).rounded(.up))
        let all = (1...power).map { 1 / powf(2, Float($0) * Float(largest / Double(power))) }
        guard power != heads else { return all }
        let odd = stride(from: 1, to: power, by: 2).map { all[$0] }
        let even = stride(from: 0, to: power, by: 2).map { all[$0] }
        return Array((odd + even).prefix(heads))
    }
}
