/// Mean and population variance, as numpy's `mean`, `var` and `std` have them.
enum Moments {
    /// `nil` of nothing.
    static func mean(_ values: some Collection<Double>) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    /// The mean squared distance from the mean; `nil` of nothing.
    static func variance(_ values: some Collection<Double>) -> Double? {
        guard let mean = mean(values), let first = values.first else { return nil }
        // The mean of equal values may be off by its rounding; they do not vary all the same.
        if values.allSatisfy({ $0 == first }) { return 0 }
        return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    }

    static func standardDeviation(_ values: some Collection<Double>) -> Double? {
        variance(values)?.squareRoot()
    }
}
