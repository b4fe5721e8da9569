/// Durations as people read them, in their two largest units: `45 s`, `12 min 30 s`, `3 h 5 min`.
package struct DurationText: Sendable {
    private let hours: String
    private let minutes: String
    private let seconds: String

    package static let english = DurationText(hours: "h", minutes: "min", seconds: "s")
    package static let japanese = DurationText(hours: "時間", minutes: "分", seconds: "秒")

    /// - Parameter duration: in seconds. NaN and negative values count as 0.
    package func callAsFunction(_ duration: Double) -> String {
        let whole = Int(max(0, min(duration.isFinite ? duration : 0, 1e12)).rounded())
        let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60)
        if h > 0 { return "\(h) \(hours) \(m) \(minutes)" }
        return m > 0 ? "\(m) \(minutes) \(s) \(seconds)" : "\(s) \(seconds)"
    }
}
