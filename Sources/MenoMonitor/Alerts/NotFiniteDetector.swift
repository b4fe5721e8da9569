internal import MenoMetrics

/// Reports losses and gradients that are not numbers.
struct NotFiniteDetector: Sendable, Hashable, Codable {
    /// What was not a number, in words, and the records of the batch that made it.
    struct Finding {
        var reason: String
        var records: [String] = []
    }

    private var episode = Episode()

    init() {}

    /// - Parameter finding: `nil` of a step whose numbers are all finite.
    mutating func observe(_ finding: Finding?, step: Int) -> AlertChange? {
        let verdict = Verdict(trouble: finding != nil, fine: finding == nil)
        return episode.observe(verdict, step: step, raiseAfter: 1, clearAfter: 10) { start in
            let records = finding?.records ?? []
            let place = records.isEmpty ? "" : " Records: \(records.prefix(20).joined(separator: ", "))."
            return Alert(
                kind: .notFinite, severity: .critical, startStep: start, detectedStep: step,
                message: "Step \(step): \(finding?.reason ?? "")\(place)",
                advice: "Lower the learning rate, compute in float32, or check the records of the step.")
        }
    }
}
