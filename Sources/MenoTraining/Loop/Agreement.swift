package import MenoTensor

/// What the processes of a run decide together: whatever one of them sees alone, all act upon. A group of one only decides.
///
/// Every process calls the same methods in the same order.
package struct Agreement {
    private let processes: ProcessGroup

    package init(_ processes: ProcessGroup) { self.processes = processes }

    /// Whether any process says yes: to stop, to save.
    func any(_ decision: Bool) throws -> Bool { try processes.agree(ifAny: decision) }

    /// What the first process decides: it alone knows what is on the disk.
    func first(_ decision: @autoclosure () -> Bool) throws -> Bool {
        try processes.decide(processes.isFirst ? decision() : false)
    }

    /// The least of a number, of the processes that have one.
    func least(_ number: Int?) throws -> Int? {
        let numbers = try processes.agree(number ?? -1).filter { $0 >= 0 }
        return numbers.min()
    }

    /// How a piece of work ended; of several, the last one here decides what all do.
    private enum Ending: Int, CaseIterable {
        case done, notFinite, outOfMemory, interrupted, failed

        init<Value>(_ result: Result<Value, any Error>) {
            self =
                switch result {
                case .success: .done
                case .failure(let error as TrainingError) where error.code == .notFinite: .notFinite
                case .failure(let error as TrainingError) where error.code == .interrupted: .interrupted
                case .failure(let error as TorchError) where error.code == .outOfMemory: .outOfMemory
                case .failure: .failed
                }
        }
    }

    /// Memory ran out in another process, and not in this one.
    struct OutOfMemoryElsewhere: Error {}

    /// Does this process's part of a piece of work, and waits for the others to do theirs.
    /// - Throws: what the work throws; where that of another process ended worse, what it ended with:
    ///   ``OutOfMemoryElsewhere``, or ``TrainingError`` with `notFinite`, `interrupted` or `failedElsewhere`.
    package func together<Value>(_ work: () throws -> Value) throws -> Value {
        let result = Result { try work() }
        let own = Ending(result)
        let worst = try processes.agree(own.rawValue).max() ?? own.rawValue
        guard worst > own.rawValue else { return try result.get() }
        switch Ending(rawValue: worst) {
        case .notFinite:
            throw TrainingError(
                .notFinite, "the loss in another process is not finite.",
                advice: "The step was not applied. Lower the learning rate, or check the batch.")
        case .outOfMemory: throw OutOfMemoryElsewhere()
        case .interrupted: throw TrainingError(.interrupted, "another process was interrupted.")
        default: throw TrainingError(.failedElsewhere, "another process failed.", advice: "Its log says why.")
        }
    }

    /// Does a piece of work in the first process, and then in the others, which find what it has left: a download, a file.
    package func inTurn<Value>(_ work: () throws -> Value) throws -> Value {
        guard processes.isFirst else {
            try together {}
            return try together(work)
        }
        let value = try together(work)
        try together {}
        return value
    }
}
