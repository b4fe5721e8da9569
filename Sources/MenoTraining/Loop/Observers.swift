internal import Foundation
internal import Logging
internal import MenoMetrics

/// Passes events on to observers, and counts the time that they take. One that fails is reported once and does not harm the
/// training.
final class Observers {
    private let observers: [any RunObserver]
    private let logger: Logger
    private var failed: Set<Int> = []
    private var requests: [RunRequest] = []
    private let clock = ContinuousClock()
    /// That the observers have taken, without the probe answers that they tell of: those are a part of the run by
    /// themselves, with a share of its time that is bounded and told.
    private(set) var time = Duration.zero

    init(_ observers: [any RunObserver], logger: Logger) {
        self.observers = observers
        self.logger = logger
    }

    func emit(_ event: RunEvent) {
        let start = clock.now
        defer { time += clock.now - start }
        var events = [event]
        // What is told in answer may be answered in its turn, but not for ever: the last answers are dropped.
        for _ in 0..<4 where !events.isEmpty {
            for event in events {
                for (index, observer) in observers.enumerated() { attempt(index) { try observer.observe(event) } }
            }
            events = []
            for request in observers.flatMap({ ($0 as? any SteeringObserver)?.takeRequests() ?? [] }) {
                guard case .tell(let event) = request else {
                    requests.append(request)
                    continue
                }
                events.append(event)
                if case .probed(_, let answers) = event { time -= Self.time(of: answers) }
            }
        }
    }

    /// What observers ask of the run, beside telling events.
    func takeRequests() -> [RunRequest] {
        defer { requests = [] }
        return requests
    }

    /// What observers need to go on after the run was cut.
    func states() -> [String: Data] {
        let start = clock.now
        defer { time += clock.now - start }
        var states: [String: Data] = [:]
        for (index, observer) in observers.enumerated() {
            guard let observer = observer as? any ResumableObserver else { continue }
            attempt(index) { states[observer.stateName] = try observer.state() }
        }
        return states
    }

    func restore(_ states: [String: Data]) {
        for (index, observer) in observers.enumerated() {
            guard let observer = observer as? any ResumableObserver, let state = states[observer.stateName] else {
                continue
            }
            attempt(index) { try observer.restore(state) }
        }
    }

    /// What observers say it was, as far as that can be.
    private static func time(of answers: [ProbeAnswer]) -> Duration {
        answers.map(\.seconds).filter { $0 > 0 && $0 < 1e6 }.reduce(.zero) { $0 + .seconds($1) }
    }

    private func attempt(_ index: Int, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            guard failed.insert(index).inserted else { return }
            logger.error("\(type(of: observers[index])) failed, training goes on: \(error.text)")
        }
    }
}
