internal import Foundation
internal import Logging
internal import MenoMetrics

/// Passes events on to observers. One that fails is reported once and does not harm the training.
final class Observers {
    private let observers: [any RunObserver]
    private let logger: Logger
    private var failed: Set<Int> = []
    private var requests: [RunRequest] = []

    init(_ observers: [any RunObserver], logger: Logger) {
        self.observers = observers
        self.logger = logger
    }

    func emit(_ event: RunEvent) {
        var events = [event]
        // What is told in answer may be answered in its turn, but not for ever.
        for _ in 0..<4 where !events.isEmpty {
            for event in events {
                for (index, observer) in observers.enumerated() { attempt(index) { try observer.observe(event) } }
            }
            events = []
            for request in observers.flatMap({ ($0 as? any SteeringObserver)?.takeRequests() ?? [] }) {
                if case .tell(let event) = request { events.append(event) } else { requests.append(request) }
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

    private func attempt(_ index: Int, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            guard failed.insert(index).inserted else { return }
            logger.error("\(type(of: observers[index])) failed, training goes on: \(error)")
        }
    }
}
