/// The last values of a series.
struct RollingWindow: Sendable, Hashable, Codable {
    private(set) var points: [Point]
    let capacity: Int

    init(_ capacity: Int, points: [Point] = []) {
        self.capacity = capacity
        self.points = points
    }

    var isFull: Bool { points.count >= capacity }
    var count: Int { points.count }
    var values: [Double] { points.map(\.value) }

    mutating func append(_ value: Double, step: Int, capacity: Int? = nil) {
        points.append(Point(step: step, value: value))
        let capacity = max(1, capacity ?? self.capacity)
        if points.count > capacity { points.removeFirst(points.count - capacity) }
    }

    mutating func removeAll() { points.removeAll() }
}
