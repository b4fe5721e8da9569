internal import Foundation

/// Rotary position embeddings: rotation angles position · θ^(−2i/d) for i in 0..<d/2.
package struct RotaryConfiguration: Sendable, Hashable {
    package enum Scaling: Sendable, Hashable {
        case none
        /// Every frequency divided by `factor`.
        case linear(factor: Double)
        /// θ grows with a sequence longer than `originalPositions`.
        case dynamic(factor: Double, originalPositions: Int)
        /// Long wavelengths divided by a factor, short ones kept, those between blended.
        case yarn(YaRN)
        /// Each frequency divided by its own factor, one set of them for long sequences.
        case longRope(LongRope)
        /// Llama 3.1: long wavelengths divided by `factor`, short ones kept, those between blended.
        case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalPositions: Int)
        /// Each frequency divided by its own factor (GGUF's `rope_freqs.weight`); `[dimension / 2]`.
        case divided(by: [Float])
    }

    /// Peng et al., 2023, arXiv:2309.00071.
    package struct YaRN: Sendable, Hashable {
        package var factor: Double
        package var originalPositions: Int
        /// The factor of cos and sin.
        package var attentionFactor: Double
        package var betaFast: Double = 32
        package var betaSlow: Double = 1
        /// Whether the ends of the blended range are whole numbers.
        package var truncates = true
    }

    /// Ding et al., 2024, arXiv:2402.13753.
    package struct LongRope: Sendable, Hashable {
        /// Factors of sequences of at most `originalPositions` tokens, and of longer ones; `[dimension / 2]` each.
        package var short, long: [Double]
        package var originalPositions: Int
        /// The factor of cos and sin.
        package var attentionFactor: Double
    }

    /// θ.
    package var base: Double
    package var scaling: Scaling
    /// The number of rotated elements of a head, from the first; `nil`: all.
    package var dimension: Int?
    /// Whether pairs are neighbors (x₀, x₁); otherwise they span the halves (x₀, x_{d/2}).
    package var isInterleaved = false

    package init(base: Double, scaling: Scaling = .none) {
        self.base = base
        self.scaling = scaling
    }

    // MARK: Frequencies

    /// Whether the angles depend on the length of the sequence.
    var dependsOnLength: Bool {
        switch scaling {
        case .dynamic, .longRope: true
        default: false
        }
    }

    /// A number that is equal for lengths with the same frequencies.
    func regime(ofLength length: Int) -> Int {
        switch scaling {
        case .dynamic(_, let original): max(length, original)
        case .longRope(let longRope): length > longRope.originalPositions ? 1 : 0
        default: 0
        }
    }

    /// The factor of cos and sin.
    var attentionFactor: Double {
        switch scaling {
        case .yarn(let yarn): yarn.attentionFactor
        case .longRope(let longRope): longRope.attentionFactor
        default: 1
        }
    }

    /// The angle per position of each pair, `[dimension / 2]`, for the sequences of a ``regime(ofLength:)``.
    ///
    /// Llama 3.1's blending is that of its reference implementation (Meta, 2024); the others are transformers'.
    func inverseFrequencies(dimension: Int, regime: Int = 0) -> [Double] {
        let plain = Self.frequencies(base: base, dimension: dimension)
        switch scaling {
        case .none: return plain
        case .linear(let factor): return plain.map { $0 / factor }
        case .divided(let factors): return zip(plain, factors).map { $0 / Double($1) }
        case .dynamic(let factor, let original):
            let growth = factor * Double(regime) / Double(original) - (factor - 1)
            let exponent = Double(dimension) / Double(max(dimension - 2, 1))
            return Self.frequencies(base: base * pow(growth, exponent), dimension: dimension)
        case .yarn(let yarn): return yarn.blended(plain, base: base, dimension: dimension)
        case .longRope(let longRope): return zip(plain, regime == 1 ? longRope.long : longRope.short).map { $0 / $1 }
        case .llama3(let factor, let low, let high, let original):
            return plain.map { frequency in
                let wavelength = 2 * Double.pi / frequency
                if wavelength < Double(original) / high { return frequency }
                if wavelength > Double(original) / low { return frequency / factor }
                let smooth = (Double(original) / wavelength - low) / (high - low)
                return (1 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }

    private static func frequencies(base: Double, dimension: Int) -> [Double] {
        (0..<dimension / 2).map { pow(base, -2 * Double($0) / Double(dimension)) }
    }

    func validate(headDimension: Int, path: String?) throws {
        let rotated = dimension ?? headDimension
        guard rotated % 2 == 0, rotated > 0, rotated <= headDimension else {
            throw ModelError(
                .malformed, at: path,
                dimension == nil
                    ? "head_dim is \(headDimension); rotary embeddings need an even one."
                    : "\(rotated) of \(headDimension) elements of a head are rotated; expected an even number.")
        }
        let factors: [Int] =
            switch scaling {
            case .longRope(let longRope): [longRope.short.count, longRope.long.count]
            case .divided(let factors): [factors.count]
            default: []
            }
        if let other = factors.first(where: { $0 != rotated / 2 }) {
            throw ModelError(.malformed, at: path, "\(other) factors of rotary frequencies; expected \(rotated / 2).")
        }
    }
}

extension RotaryConfiguration.YaRN {
    /// The paper's default attention factor.
    static func attentionFactor(_ factor: Double, scale: Double = 1) -> Double {
        factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }

    fileprivate func blended(_ plain: [Double], base: Double, dimension: Int) -> [Double] {
        // The index of the pair that makes this many rotations within the original length.
        let pair = { (rotations: Double) in
            Double(dimension) * log(Double(originalPositions) / (rotations * 2 * .pi)) / (2 * log(base))
        }
        let (first, last) = (pair(betaFast), pair(betaSlow))
        let low = max(truncates ? first.rounded(.down) : first, 0)
        var high = min(truncates ? last.rounded(.up) : last, Double(dimension - 1))
        if low == high { high += 0.001 }
        return plain.enumerated().map { index, frequency in
            let share = min(max((Double(index) - low) / (high - low), 0), 1)
            return frequency / factor * share + frequency * (1 - share)
        }
    }
}
