/// A value measured at a step.
package struct Point: Sendable, Hashable, Codable {
    package var step: Int
    package var value: Double

    package init(step: Int, value: Double) {
        self.step = step
        self.value = value
    }
}

/// The points of one quantity, in the order they were measured; a step at which it was not measured has none.
package struct Series: Sendable, Hashable, Codable {
    package private(set) var points: [Point] = []

    package init() {}

    /// Only numbers are points: nothing else may reach an average. What is measured again at the same step replaces what
    /// was measured before.
    mutating func append(_ value: Double, step: Int) {
        guard value.isFinite else { return }
        if points.last?.step == step { points.removeLast() }
        points.append(Point(step: step, value: value))
    }

    package var steps: [Int] { points.map(\.step) }
    package var values: [Double] { points.map(\.value) }
    package var last: Point? { points.last }

    /// The values of the last points, as many as there are up to `count`.
    func recent(_ count: Int) -> [Double] { points.suffix(max(0, count)).map(\.value) }
}

extension Double {
    /// Whether this can be a measurement: a number, and one whose square and sums are numbers, too.
    ///
    /// State never holds anything else, so that it can always be written as JSON.
    var isMeasured: Bool { isFinite && abs(self) < 1e100 }
}
