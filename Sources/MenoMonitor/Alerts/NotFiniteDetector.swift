internal import MenoMetrics

/// Tells of losses and gradients that are not numbers.
struct NotFiniteDetector: Sendable, Hashable, Codable {
    private var episode = Episode()

    init() {}

    mutating func observeTrouble(step: Int, reason: String, records: [String]) -> AlertChange? {
        episode.observe(.trouble, step: step, raiseAfter: 1, clearAfter: 10) { start in
            let place = records.isEmpty ? "" : " Records: \(records.prefix(20).joined(separator: ", "))."
            return Alert(
                kind: .notFinite, severity: .critical, startStep: start, detectedStep: step,
                message: "Step \(step): \(reason)\(place)",
                advice: "Lower the learning rate, use model.dtype: float32, or look at the records of the step.")
        }
    }

    mutating func observeFinite(step: Int) -> AlertChange? {
        episode.observe(.fine, step: step, raiseAfter: 1, clearAfter: 10) { start in
            // Never asked for: a verdict of `fine` opens no episode.
            Alert(kind: .notFinite, severity: .critical, startStep: start, detectedStep: step, message: "", advice: "")
        }
    }
}
