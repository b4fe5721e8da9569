package import MenoMetrics
package import MenoModels
package import MenoTensor

/// What an optimizer step did.
package struct StepResult: Sendable, Hashable {
    /// Σ of the losses / Σ of what the objective counts, over all passes.
    package var loss: Double
    /// The norm of the gradient before it was clipped.
    package var gradientNorm: Double
    package var labelCount: Int
    /// Those of every example, whether or not they were computed once for several.
    package var tokenCount: Int
    /// What the objective measured beside its loss.
    package var objective: ObjectiveMetrics?
}

/// Accumulates the gradient of a batch over passes of any size, clips it and applies it.
///
/// The loss is normalized by the weight of the whole batch (its labels, for example), so how a batch is divided into passes
/// changes nothing but rounding. Several processes take whole passes each, and what these give is added in the order of the
/// passes: the result is that of one process, byte for byte.
package final class OptimizerStep {
    private let model: Decoder
    private let objective: any Objective
    /// Its state is saved with a checkpoint.
    var optimizer: any Optimizer
    private let parameters: [Tensor]
    /// How its state is divided over the processes; `nil`: each has all of it.
    private let shared: SharedOptimizer?
    private let agreement: Agreement
    private let processes: ProcessGroup
    private let maxGradientNorm: Double?
    /// Seconds that each process has computed since they were last asked for, and in how many steps.
    private var computing: (seconds: [Double], steps: Int) = ([], 0)

    /// - Parameter maxGradientNorm: larger gradients are scaled down to this norm; `nil`: never.
    /// - Throws: ``TrainingError`` when the model has no trained parameter.
    package init(
        model: Decoder, objective: any Objective = SupervisedObjective(), options: OptimizerOptions,
        maxGradientNorm: Double? = 1, processes: ProcessGroup = ProcessGroup(), sharesOptimizer: Bool = false
    ) throws {
        let trained = model.trainedParameters
        guard !trained.isEmpty else {
            throw TrainingError(
                .nothingToTrain, "the model has no trained parameter.", advice: "Attach an adapter first.")
        }
        self.model = model
        self.objective = objective
        self.maxGradientNorm = maxGradientNorm
        self.processes = processes
        agreement = Agreement(processes)
        parameters = trained.map(\.tensor)
        let named = trained.map { (name: $0.name, tensor: $0.tensor) }
        let shared = sharesOptimizer && processes.size > 1 ? SharedOptimizer(named, processes) : nil
        self.shared = shared
        optimizer = try options.optimizer(of: shared.map { $0.own.map { named[$0] } } ?? named)
    }

    /// Whether this process has only a part of the optimizer's state.
    var sharesOptimizer: Bool { shared != nil }

    /// The optimizer's whole state. Where it is divided, every process calls this, and only the first one gets it.
    func optimizerState() throws -> NamedValues? {
        guard let shared else { return try NamedValues(optimizer.state) }
        return try shared.whole(optimizer.state)
    }

    /// Makes one step. Nothing is applied in any process unless all could compute their passes.
    /// - Throws: ``TrainingError`` with `notFinite`, or `TorchError`: the parameters, the optimizer's state and the next step
    ///   are then as if this one had not been tried. ``TrainingError`` with `updateFailed`: they are not.
    package func run(_ passes: [Pass], learningRate: Double) throws -> StepResult {
        defer { for parameter in parameters { try? parameter.setGradient(nil) } }
        let (loss, metrics) = try processes.size == 1 ? accumulate(passes) : accumulateTogether(passes)
        let gradients = try parameters.compactMap { try $0.gradient() }
        let norm = try shared?.norm() ?? Gradients.norm(gradients)
        guard norm.isFinite else { throw notFinite("the norm of the gradient is \(norm).") }
        if let maxGradientNorm { try Gradients.clip(gradients, norm: norm, maximum: maxGradientNorm) }
        do {
            try optimizer.step(learningRate: learningRate)
            try shared?.distribute()
        } catch {
            throw TrainingError(
                .updateFailed,
                "the optimizer's update failed after changing some of the parameters: \(error)",
                advice: "Resume from the last checkpoint.", settings: [.resumption])
        }
        let learnt = passes.filter(\.isLearnt)
        return StepResult(
            loss: loss, gradientNorm: norm,
            labelCount: learnt.reduce(0) { $0 + $1.labelCount },
            tokenCount: learnt.reduce(0) { $0 + $1.layout.sequenceTokenCount }, objective: metrics)
    }

    /// Adds up the gradients of all passes.
    /// - Returns: the loss of the step.
    private func accumulate(_ passes: [Pass]) throws -> (loss: Double, metrics: ObjectiveMetrics?) {
        let totals = try begin(passes)
        var sum = Sum()
        for (index, pass) in passes.enumerated() {
            let (measured, loss) = try forward(pass, totals)
            try check(measured, index: index, of: passes.count)
            sum.add(measured, weight: totals.weight)
            try backward(loss, totals)
        }
        return sum.result(objective, weight: totals.weight)
    }

    /// The same with passes that are divided over the processes.
    private func accumulateTogether(_ passes: [Pass]) throws -> (loss: Double, metrics: ObjectiveMetrics?) {
        let clock = ContinuousClock()
        let totals = try agreement.together { try begin(passes) }
        computing.steps += 1
        let exchange = GradientExchange(parameters, processes, owners: shared?.owners)
        let stride = GradientExchange.passes(between: parameters, processes)
        var sum = Sum()
        for start in Swift.stride(from: 0, to: passes.count, by: stride) {
            let wave = Array(passes[start..<min(passes.count, start + stride)])
            let shares = WorkShares(costs: wave.map(\.inputIDs.count), processes: processes.size).pieces
            var owners = Array(repeating: 0, count: wave.count)
            for (rank, share) in shares.enumerated() { for index in share { owners[index] = rank } }
            let started = clock.now
            var seconds = 0.0
            let own = try agreement.together {
                defer { seconds = (clock.now - started) / .seconds(1) }
                return try compute(shares[processes.rank].map { wave[$0] }, totals, exchange)
            }
            let numbers = try processes.gather([seconds] + own.measured.flatMap(\.numbers))
            addComputing(numbers.map { $0[0] })
            var measured = numbers.map { Measured.list(Array($0.dropFirst())) }
            for (index, owner) in owners.enumerated() {
                let next = measured[owner].removeFirst()
                try check(next, index: start + index, of: passes.count)
                sum.add(next, weight: totals.weight)
            }
            try exchange.add(own.contributions, owners: owners)
        }
        try exchange.finish()
        return sum.result(objective, weight: totals.weight)
    }

    private func addComputing(_ seconds: [Double]) {
        computing.seconds = computing.seconds.isEmpty ? seconds : zip(computing.seconds, seconds).map { $0 + $1 }
    }

    /// The mean seconds of a step in which each process computed since the last call; `nil` in a group of one.
    func takeComputingSeconds() -> [Double]? {
        defer { computing = ([], 0) }
        return computing.seconds.isEmpty ? nil : computing.seconds.map { $0 / Double(computing.steps) }
    }

    /// This process's passes, up to one whose loss is not finite: that of the first such pass of all is told.
    private func compute(
        _ passes: [Pass], _ totals: StepTotals, _ exchange: GradientExchange
    ) throws -> (measured: [Measured], contributions: [GradientExchange.Contribution]) {
        var measured: [Measured] = []
        var contributions: [GradientExchange.Contribution] = []
        for pass in passes {
            let (next, loss) = try forward(pass, totals)
            measured.append(next)
            guard next.value.isFinite else {
                measured += Array(repeating: Measured(value: .nan), count: passes.count - measured.count)
                break
            }
            try backward(loss, totals)
            contributions.append(try exchange.take())
        }
        return (measured, contributions)
    }

    private func begin(_ passes: [Pass]) throws -> StepTotals {
        let totals = try objective.totals(of: passes, by: model)
        guard totals.weight > 0 else {
            throw TrainingError(.nothingToTrain, "no token of the batch counts in the loss.")
        }
        model.beginStep(passes.map(\.layout))
        return totals
    }

    private func forward(_ pass: Pass, _ totals: StepTotals) throws -> (Measured, PassLoss) {
        let loss = try objective.loss(of: pass, in: totals, by: model)
        return (Measured(value: loss.value, routerLoss: model.routerLoss, tallies: loss.tallies), loss)
    }

    private func backward(_ loss: PassLoss, _ totals: StepTotals) throws {
        try loss.sum.map { try $0 / Double(totals.weight) }?.backward()
    }

    private func check(_ measured: Measured, index: Int, of count: Int) throws {
        guard measured.value.isFinite else {
            throw notFinite("the loss of pass \(index + 1) of \(count) is \(measured.value).")
        }
    }

    /// What a pass comes to beside its gradient.
    private struct Measured {
        var value: Double
        var routerLoss = 0.0
        var tallies = Tallies()

        private static let count = 2 + Tallies.numberCount
        var numbers: [Double] { [value, routerLoss] + tallies.numbers }

        static func list(_ numbers: [Double]) -> [Measured] {
            stride(from: 0, to: numbers.count, by: count).map {
                Measured(
                    value: numbers[$0], routerLoss: numbers[$0 + 1],
                    tallies: Tallies(numbers: numbers[($0 + 2)..<($0 + count)]))
            }
        }
    }

    /// What the passes of a step come to, added in their order.
    private struct Sum {
        private var total = 0.0
        private var tallies = Tallies()

        mutating func add(_ measured: Measured, weight: Int) {
            // That of routers is not divided by what the objective counts, as in transformers.
            total += measured.value + measured.routerLoss * Double(weight)
            tallies.add(measured.tallies)
        }

        func result(_ objective: any Objective, weight: Int) -> (loss: Double, metrics: ObjectiveMetrics?) {
            (total / Double(weight), objective.metrics(tallies))
        }
    }

    private func notFinite(_ message: String) -> TrainingError {
        TrainingError(
            .notFinite, message, advice: "The step was not applied. Lower the learning rate, or check the batch.")
    }
}
