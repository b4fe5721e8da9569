/// The largest |a − b| / max(|b|, floor) over two sequences of equal length; infinite where one is not a number.
package func maximumRelativeDifference(_ a: [Float], _ b: [Float], floor: Float = 1e-6) -> Float {
    precondition(a.count == b.count)
    return zip(a, b).reduce(0) { worst, pair in
        let difference = abs(pair.0 - pair.1) / max(abs(pair.1), floor)
        return difference.isNaN ? .infinity : max(worst, difference)
    }
}

/// The largest |a − b| over two sequences of equal length; infinite where one is not a number.
package func maximumDifference(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count)
    return zip(a, b).reduce(0) { worst, pair in
        let difference = abs(pair.0 - pair.1)
        return difference.isNaN ? .infinity : max(worst, difference)
    }
}

/// ‖a − b‖ / ‖b‖: the error of a tensor as a whole, for gradients whose small elements are rounding.
package func relativeError(_ a: [Float], _ b: [Float]) -> Double {
    precondition(a.count == b.count)
    var difference = 0.0
    var size = 0.0
    for (x, y) in zip(a, b) {
        difference += Double(x - y) * Double(x - y)
        size += Double(y) * Double(y)
    }
    return size == 0 ? difference.squareRoot() : (difference / size).squareRoot()
}
