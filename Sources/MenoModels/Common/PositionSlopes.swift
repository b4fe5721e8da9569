internal import Foundation
internal import MenoTensor

extension PositionSlopes {
    /// What is added to the scores of some keys, the first of which is at position 0, `[heads, 1, keys]` in float32.
    func bias(keys: Int) throws -> Tensor {
        let slopes = try Tensor(slopes).unsqueezed(1)
        let positions = try Tensor((0..<keys).map(Float.init)).unsqueezed(0)
        var bias = try (isRounded ? slopes.to(.bfloat16).to(.float32) : slopes) * positions
        if isRounded { bias = try bias.to(.bfloat16).to(.float32) }
        return try (bias * scale).unsqueezed(1)
    }

    /// Slopes as Bloom and Falcon have them: powers of 2^(−8/n), and between them where n is no power of two.
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

    /// Slopes as MPT has them: of the next power of two, every other one first.
    static func alternating(heads: Int, largest: Double) -> [Float] {
        let power = 1 << Int(log2(Double(max(heads, 1))).rounded(.up))
        let all = (1...power).map { 1 / powf(2, Float($0) * Float(largest / Double(power))) }
        guard power != heads else { return all }
        let odd = stride(from: 1, to: power, by: 2).map { all[$0] }
        let even = stride(from: 0, to: power, by: 2).map { all[$0] }
        return Array((odd + even).prefix(heads))
    }
}
