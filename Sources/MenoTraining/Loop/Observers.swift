internal import Foundation
internal import MenoMetrics

/// Passes events on to observers, asks policies what follows from them, and counts the time that this takes.
final class Observers {
    private let observers: [any RunObserver]
    private let policies: [any RunPolicy]
    private let faults: Faults
    private let clock = ContinuousClock()
    private var decisions: [RunDecision] = []
    /// What observers and policies have taken.
    private(set) var time = Duration.zero

    init(_ observers: [any RunObserver], policies: [any RunPolicy], faults: Faults) {
        self.observers = observers
        self.policies = policies
        self.faults = faults
    }

    /// Shows an event to every observer, then asks the policies about it.
    func emit(_ event: RunEvent) {
        show(event)
        askPolicies(about: event)
    }

    /// Shows an event to every observer, and asks nobody.
    func show(_ event: RunEvent) {
        timed {
            for (number, observer) in observers.enumerated() {
                faults.attempt(observer, number: number) { try observer.observe(event) }
            }
        }
    }

    /// Shows what policies announce. What else they decide waits for ``takeDecisions()``.
    func askPolicies(about event: RunEvent) {
        for decision in timed({ policies.flatMap { $0.decisions(after: event) } }) {
            if case .announce(let event) = decision { show(event) } else { decisions.append(decision) }
        }
    }

    /// What policies have decided since the last call, without what they announce.
    func takeDecisions() -> [RunDecision] {
        defer { decisions = [] }
        return decisions
    }

    /// What observers need to continue after an interruption.
    func states() -> [String: Data] {
        timed {
            var states: [String: Data] = [:]
            forEachResumable { states[$0.stateName] = try $0.state() }
            return states
        }
    }

    func restore(_ states: [String: Data]) {
        forEachResumable { observer in try states[observer.stateName].map { try observer.restore($0) } }
    }

    private func forEachResumable(_ body: (any ResumableObserver) throws -> Void) {
        for (number, observer) in observers.enumerated() {
            guard let observer = observer as? any ResumableObserver else { continue }
            faults.attempt(observer, number: number) { try body(observer) }
        }
    }

    private func timed<Result>(_ work: () -> Result) -> Result {
        let start = clock.now
        defer { time += clock.now - start }
        return work()
    }
}
