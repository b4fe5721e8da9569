internal import Dispatch
internal import MenoData
internal import Synchronization

/// The examples of a step, and how they go through the model.
struct PreparedStep: Sendable {
    /// Positions among the training examples.
    var examples: [Int]
    var passes: [Pass]
}

/// Prepares the passes of the coming steps while the present one is computed.
final class StepLoader {
    private let source: Source
    private let depth: Int
    private let totalSteps: Int
    private let queue = DispatchQueue(label: "meno.steps")
    private var pending: [Int: Pending] = [:]
    private var tokensPerPass: Int?

    /// - Parameters:
    ///   - sharing: see ``PassPlan/init(_:tokens:sharing:)``.
    ///   - shards: into how many parts, which never share a pass, a step is divided; `nil`: into passes alone.
    ///   - depth: steps that are prepared ahead; 0: each when it is asked for.
    ///   - arrangements: which sequences the examples are; the passes of each come after those of the one before.
    init(
        _ batches: BatchSchedule, examples: any ExampleSource, arrangements: [PassArrangement] = [.examples],
        sharing: Bool, shards: Int? = nil, depth: Int, totalSteps: Int
    ) {
        source = Source(
            batches: batches, examples: examples, arrangements: arrangements, sharing: sharing, shards: shards)
        self.depth = depth
        self.totalSteps = totalSteps
    }

    /// - Parameter tokens: the most that go through the model together; a longer example goes alone.
    /// - Throws: ``DataError`` where examples cannot be read any more.
    func load(_ step: Int, tokensPerPass tokens: Int) throws -> PreparedStep {
        if tokens != tokensPerPass {
            pending.removeAll()
            tokensPerPass = tokens
        }
        let current = pending.removeValue(forKey: step)
        for next in step + 1..<max(step + 1, min(totalSteps, step + 1 + depth)) where pending[next] == nil {
            let promise = Pending()
            pending[next] = promise
            queue.async { [source] in
                promise.fulfil(Result { try source.prepare(next, tokensPerPass: tokens) })
            }
        }
        return try current?.wait()?.get() ?? source.prepare(step, tokensPerPass: tokens)
    }

    /// Where steps come from; remembers the order of one epoch.
    private final class Source: Sendable {
        private let batches: BatchSchedule
        private let examples: any ExampleSource
        private let arrangements: [PassArrangement]
        private let sharing: Bool
        private let shards: Int?
        private let known = Mutex<KnownOrder?>(nil)

        private struct KnownOrder {
            var epoch: Int
            var order: [Int]
        }

        init(
            batches: BatchSchedule, examples: any ExampleSource, arrangements: [PassArrangement], sharing: Bool,
            shards: Int?
        ) {
            self.shards = shards
            self.batches = batches
            self.examples = examples
            self.arrangements = arrangements
            self.sharing = sharing
        }

        func prepare(_ step: Int, tokensPerPass: Int) throws -> PreparedStep {
            let (epoch, within) = step.quotientAndRemainder(dividingBy: batches.stepsPerEpoch)
            let order = order(ofEpoch: epoch)
            let chosen = batches.examples(ofStep: within, in: order)
            let units = try examples.examples(at: chosen)
            let passes = arrangements.flatMap { arrangement in
                PassPlan.parts(of: units, as: arrangement, tokens: tokensPerPass, sharing: sharing, shards: shards)
                    .map(\.pass)
            }
            return PreparedStep(examples: chosen, passes: passes)
        }

        private func order(ofEpoch epoch: Int) -> [Int] {
            known.withLock { known in
                if let known, known.epoch == epoch { return known.order }
                let order = batches.order(ofEpoch: epoch)
                known = KnownOrder(epoch: epoch, order: order)
                return order
            }
        }
    }

    /// A step that is being prepared.
    private final class Pending: Sendable {
        private let result = Mutex<Result<PreparedStep, any Error>?>(nil)
        private let isDone = DispatchSemaphore(value: 0)

        func fulfil(_ step: Result<PreparedStep, any Error>) {
            result.withLock { $0 = step }
            isDone.signal()
        }

        func wait() -> Result<PreparedStep, any Error>? {
            isDone.wait()
            return result.withLock { $0 }
        }
    }
}
