/// Location and spread that single outliers cannot move.
enum RobustStatistics {
    /// Makes the median absolute deviation of normal noise its standard deviation: 1 / Φ⁻¹(¾).
    static let consistency = 1.482_602_218_505_602

    /// The middle value, or the mean of the two middle ones; `nil` of nothing.
    static func median(_ values: some Collection<Double>) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : sorted[middle - 1] / 2 + sorted[middle] / 2
    }

    /// The median absolute distance from the median.
    static func medianAbsoluteDeviation(_ values: some Collection<Double>) -> Double? {
        median(values).flatMap { center in median(values.map { abs($0 - center) }) }
    }

    /// The standard deviation of the noise on a series, whatever its trend: that of the differences of neighbours, by
    /// their MAD, divided by √2. `nil` below three values.
    static func noise(_ series: some Collection<Double>) -> Double? {
        guard series.count >= 3 else { return nil }
        let differences = zip(series, series.dropFirst()).map { $1 - $0 }
        return medianAbsoluteDeviation(differences).map { consistency * $0 / 2.0.squareRoot() }
    }
}
