internal import Logging
internal import MenoMetrics

/// Passes events on to observers. One that fails is reported once and does not harm the training.
final class Observers {
    private let observers: [any RunObserver]
    private let logger: Logger
    private var failed: Set<Int> = []

    init(_ observers: [any RunObserver], logger: Logger) {
        self.observers = observers
        self.logger = logger
    }

    func emit(_ event: RunEvent) {
        for (index, observer) in observers.enumerated() {
            do {
                try observer.observe(event)
            } catch {
                guard failed.insert(index).inserted else { continue }
                logger.error("\(type(of: observer)) failed, training goes on: \(error)")
            }
        }
    }
}
