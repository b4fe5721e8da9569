internal import MenoMetrics

/// What one observation says about a trouble.
enum Verdict: Sendable {
    case trouble
    case fine
    /// Between the two, or not enough to judge by.
    case undecided

    init(trouble: Bool, fine: Bool) { self = trouble ? .trouble : fine ? .fine : .undecided }
}

/// The beginning or the end of an alert.
enum AlertChange: Sendable, Hashable {
    case began(Alert)
    case ended(Alert)
}

/// Turns a stream of verdicts into alerts that begin once and end once: some verdicts in a row open an episode, some
/// others in a row close it.
struct Episode: Sendable, Hashable, Codable {
    /// The alert that lasts.
    private(set) var alert: Alert?
    private var count = 0
    private var first: Int?

    init() {}

    var isOpen: Bool { alert != nil }

    /// - Parameters:
    ///   - raiseAfter: verdicts of trouble in a row that open an episode.
    ///   - clearAfter: verdicts of `fine` in a row that close it; it ends with the first of them.
    ///   - onset: where the trouble began, when that is known to be earlier than the first verdict.
    ///   - describe: makes the alert, given its first step.
    mutating func observe(
        _ verdict: Verdict, step: Int, raiseAfter: Int, clearAfter: Int, onset: Int? = nil,
        describe: (_ startStep: Int) -> Alert
    ) -> AlertChange? {
        let counted: Verdict = isOpen ? .fine : .trouble
        guard verdict == counted else {
            (count, first) = (0, nil)
            return nil
        }
        count += 1
        let start = first ?? step
        first = start
        guard count >= (isOpen ? clearAfter : raiseAfter) else { return nil }
        (count, first) = (0, nil)
        if isOpen { return close(at: start) }
        let alert = describe(min(onset ?? start, start))
        self.alert = alert
        return .began(alert)
    }

    /// Ends the episode, if one lasts.
    mutating func close(at step: Int) -> AlertChange? {
        guard var ended = alert else { return nil }
        ended.endStep = step
        self = Episode()
        return .ended(ended)
    }
}
