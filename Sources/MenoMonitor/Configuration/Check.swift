/// What values of the monitor's configuration may be.
enum Check {
    static func require(_ key: String, _ value: Int, in range: ClosedRange<Int>) throws(MonitorError) {
        guard range.contains(value) else {
            let expected =
                range.upperBound == .max
                ? "\(range.lowerBound) or more" : "between \(range.lowerBound) and \(range.upperBound)"
            throw invalid(key, "is \(value); expected a whole number, \(expected).")
        }
    }

    static func require(_ key: String, _ value: Double, above bound: Double) throws(MonitorError) {
        guard value.isFinite, value > bound else { throw invalid(key, "is \(value); expected more than \(bound).") }
    }

    static func require(_ key: String, _ value: Double, from bound: Double, through upper: Double = .infinity)
        throws(MonitorError)
    {
        guard value.isFinite, value >= bound, value <= upper else {
            let expected = upper == .infinity ? "\(bound) or more" : "between \(bound) and \(upper)"
            throw invalid(key, "is \(value); expected \(expected).")
        }
    }

    static func require(_ key: String, _ range: ClosedRange<Double>) throws(MonitorError) {
        guard range.lowerBound.isFinite, range.upperBound.isFinite else {
            throw invalid(key, "is [\(range.lowerBound), \(range.upperBound)]; expected two finite numbers.")
        }
    }

    private static func invalid(_ key: String, _ message: String) -> MonitorError {
        MonitorError(.invalidConfiguration, at: key, message)
    }
}
