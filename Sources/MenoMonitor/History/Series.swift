/// A value measured at a step.
public struct Point: Sendable, Hashable, Codable {
    public var step: Int
    public var value: Double

    public init(step: Int, value: Double) {
        self.step = step
        self.value = value
    }
}

/// The points of one quantity, in the order they were measured; a step at which it was not measured has none.
public struct Series: Sendable, Hashable, Codable {
    public private(set) var points: [Point] = []

    public init() {}

    /// Only numbers are points: nothing else may reach an average. What is measured again at the same step replaces what
    /// was measured before.
    mutating func append(_ value: Double, step: Int) {
        guard value.isFinite else { return }
        if points.last?.step == step { points.removeLast() }
        points.append(Point(step: step, value: value))
    }

    public var steps: [Int] { points.map(\.step) }
    public var values: [Double] { points.map(\.value) }
    public var last: Point? { points.last }

    /// The values of the last points, as many as there are up to `count`.
    func recent(_ count: Int) -> [Double] { points.suffix(max(0, count)).map(\.value) }
}

extension Double {
    /// Whether this can be a measurement: a number, and one whose square and sums are numbers, too.
    ///
    /// State never holds anything else, so that it can always be written as JSON.
    var isMeasured: Bool { isFinite && abs(self) < 1e100 }
}
