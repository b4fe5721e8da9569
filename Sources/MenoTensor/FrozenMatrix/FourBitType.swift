/// The set of sixteen values that four-bit codes stand for, as in bitsandbytes.
public enum FourBitType: String, Sendable, Hashable, CaseIterable {
    /// Quantiles of a normal distribution (Dettmers et al., 2023, arXiv:2305.14314).
    case nf4
    /// Floating-point numbers of four bits.
    case fp4

    /// The value of each code.
    var codebook: [Float] {
        switch self {
        case .nf4:
            [
                -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                0.7229568362236023, 1,
            ]
        case .fp4:
            [0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3].map { $0 / 12 }
        }
    }
}
