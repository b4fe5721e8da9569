/// Fewer points that look the same: a chart has some hundred places for the steps of a run.
enum Thinning {
    /// The mean of each of at most `count` neighbourhoods of equal width.
    static func means(_ points: [(x: Double, y: Double)], count: Int = 240) -> [(x: Double, y: Double)] {
        neighbourhoods(points, count).map { part in
            let n = Double(part.count)
            return (part.reduce(0) { $0 + $1.x } / n, part.reduce(0) { $0 + $1.y } / n)
        }
    }

    /// The lowest and the highest point of each of at most `count` neighbourhoods: no spike is lost.
    static func extremes(_ points: [(x: Double, y: Double)], count: Int = 240) -> [(x: Double, y: Double)] {
        guard points.count > 2 * count else { return points }
        return neighbourhoods(points, count).flatMap { part -> [(x: Double, y: Double)] in
            guard let low = part.min(by: { $0.y < $1.y }), let high = part.max(by: { $0.y < $1.y }) else { return [] }
            if low.x == high.x { return [low] }
            return low.x < high.x ? [low, high] : [high, low]
        }
    }

    private static func neighbourhoods(_ points: [(x: Double, y: Double)], _ count: Int) -> [ArraySlice<
        (
            x: Double, y: Double
        )
    >] {
        guard points.count > count else { return points.indices.map { points[$0...$0] } }
        return (0..<count).map { part in
            points[points.count * part / count..<points.count * (part + 1) / count]
        }
    }
}
