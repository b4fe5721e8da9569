import Foundation
import Logging
import MenoData
import MenoFormats
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// What a run comes to does not depend on how many processes make it: ranks as threads, whose tensors go through sockets.
@Suite(.serialized, .drawsRandomNumbers) struct DataParallelTests {
    /// What a run leaves.
    private struct Outcome: Sendable, Equatable {
        /// Parameters and the optimizer's state, as bytes.
        var state: [String: Data] = [:]
        /// How many tensors of the optimizer's state this process has.
        var ownState = 0
        var losses: [Double] = []
        var norms: [Double] = []
        var evaluations: [Double] = []
    }

    enum Trained: String, CaseIterable, Sendable {
        case adapter, everything, experts
    }

    private static func model(_ trained: Trained) throws -> Decoder {
        switch trained {
        case .adapter:
            let folder = Fixtures.url("models/gemma3-tiny")
            let model = try ModelFiles(folder).load(dtype: .float32)
            try model.attachLoRA(
                LoRASettings(rank: 4, alpha: 8, dropout: 0.2, targets: .allLinear))
            return model
        case .everything:
            let model = try ModelFiles(Fixtures.url("models/gemma3-tiny")).load(dtype: .float32)
            try model.trainAllParameters()
            return model
        case .experts:
            let folder = Fixtures.url("models/qwen3-moe-balanced")
            let model = try ModelFiles(folder).load(dtype: .float32)
            try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
            return model
        }
    }

    /// Examples of very different lengths, some of which begin alike.
    private static func examples(_ count: Int) -> [Example] {
        (0..<count).map { index in
            let ids = (0..<(6 + index * 7 % 23)).map { Int32(5 + ($0 < 4 ? $0 : index + $0) % 20) }
            return Example(
                ids: ids, labels: [Example.ignoredLabel] + ids.dropFirst(), isCompletion: ids.indices.map { $0 >= 3 },
                place: "line \(index)")
        }
    }

    private static func bytes(_ tensor: Tensor) throws -> Data {
        try tensor.array(of: Float.self).withUnsafeBytes { Data($0) }
    }

    private static func run(
        _ processes: Int, _ trained: Trained, tokens: Int, shards: Int?, steps: Int = 3,
        sharding: TrainingArguments.Sharding = .none, savingIn folder: URL? = nil
    ) throws -> [Outcome] {
        // Each rank draws its adapter from the one generator, one after the other, and before a run seeds it.
        let lock = NSLock()
        let train: @Sendable (ProcessGroup) throws -> Outcome = { group in
            let events = Recorder()
            var arguments = TrainingArguments()
            (arguments.maxSteps, arguments.batchSize, arguments.gradientAccumulationSteps) = (steps, 2, 3)
            (arguments.learningRate, arguments.warmupRatio) = (5e-3, 0)
            (arguments.evaluationSteps, arguments.saveSteps) = (3, 3)
            arguments.sharding = sharding
            (arguments.tokensPerPass, arguments.logicalShards) = (tokens, shards)
            let model = try lock.withLock {
                try RandomGenerator.seed(7)
                return try Self.model(trained)
            }
            try group.barrier()
            let loop = try TrainingLoop(
                model: model, training: Self.examples(14), evaluation: Self.examples(7), arguments: arguments,
                observers: [events],
                saving: folder.map {
                    RunSaving(
                        store: CheckpointStore($0),
                        form: .adapter(
                            LoRASettings(rank: 4, alpha: 8, dropout: 0.2, targets: .allLinear), baseModel: "tiny"),
                        settings: [:])
                }, processes: group)
            _ = try loop.run(model: "tiny")
            var outcome = Outcome()
            for parameter in model.trainedParameters {
                outcome.state[parameter.name] = try Self.bytes(parameter.tensor.detached())
            }
            outcome.ownState = loop.optimizerStep.optimizer.state.count
            for (name, tensor) in loop.optimizerStep.optimizer.state where sharding == .none {
                outcome.state[name] = try Self.bytes(tensor)
            }
            outcome.losses = events.steps.map(\.loss)
            outcome.norms = events.steps.map(\.gradientNorm)
            outcome.evaluations = events.evaluations.map(\.loss)
            return outcome
        }
        guard processes > 1 else { return [try train(ProcessGroup())] }
        return try Ranks.run(processes) { rank, port in
            var place = ProcessGroup.Rendezvous(
                host: "127.0.0.1", port: port, hostsStore: rank == 0, address: "127.0.0.1")
            (place.joinTimeout, place.timeout) = (30, 30)
            let group = try ProcessGroup(rank: rank, size: processes, at: place)
            let outcome = try train(group)
            try group.barrier()
            return outcome
        }
    }

    @Test(arguments: Trained.allCases) func anyNumberOfProcessesGivesTheSameBytes(_ trained: Trained) throws {
        for (tokens, shards) in [(40, nil), (4096, 4)] as [(Int, Int?)] {
            let alone = try Self.run(1, trained, tokens: tokens, shards: shards)[0]
            #expect(alone.losses.count == 3 && alone.evaluations.count == 1)
            #expect(alone.losses[2] != alone.losses[0])
            for processes in 2...4 {
                for outcome in try Self.run(processes, trained, tokens: tokens, shards: shards) {
                    #expect(outcome == alone, "\(processes) processes, \(tokens) tokens")
                }
            }
        }
    }

    @Test func aStepWithFewerPassesThanProcessesIsMade() throws {
        let alone = try Self.run(1, .adapter, tokens: 4096, shards: nil)[0]
        for outcome in try Self.run(3, .adapter, tokens: 4096, shards: nil) { #expect(outcome == alone) }
        // Shards are part of what is computed.
        let divided = try Self.run(1, .adapter, tokens: 4096, shards: 2)[0]
        #expect(divided != alone)
        for (a, b) in zip(divided.losses, alone.losses) { #expect(abs(a - b) < 1e-4 * b) }
    }

    @Test func gradientsThatDoNotFitTogetherAreExchangedInWaves() throws {
        let sums = try Ranks.run(2) { rank, port in
            let place = ProcessGroup.Rendezvous(
                host: "127.0.0.1", port: port, hostsStore: rank == 0, address: "127.0.0.1")
            let group = try ProcessGroup(rank: rank, size: 2, at: place)
            let parameters = try [[3], [2, 2], [1]].map { try Tensor.zeros($0).requiringGradient() }
            let exchange = GradientExchange(parameters, group)
            // Waves of two passes and of one; the last parameter never has a gradient, the second has one in one pass.
            for wave in 0..<2 {
                var own: [GradientExchange.Contribution] = []
                if wave == 0 || rank == 1 {
                    try parameters[0].setGradient(Tensor([Float](repeating: 0.1, count: 3)))
                    if rank == 1 { try parameters[1].setGradient(Tensor.full([2, 2], -0.0)) }
                    own = [try exchange.take()]
                }
                try exchange.add(own, owners: wave == 0 ? [1, 0] : [1])
            }
            try exchange.finish()
            let result = try parameters.map { try $0.gradient()?.array(of: Float.self) }
            try group.barrier()
            return result
        }
        let expected: Float = (0.1 + 0.1) + 0.1
        for result in sums {
            #expect(result[0] == [expected, expected, expected])
            #expect(result[1]?.map(\.sign) == [.minus, .minus, .minus, .minus] && result[2] == nil)
        }
    }

    @Test func aDividedOptimizerIsSavedWhole() throws {
        let folder = try TemporaryFolder()
        let places = ["whole", "divided"].map { folder.url.appending(path: $0) }
        let whole = try Self.run(1, .adapter, tokens: 40, shards: nil, savingIn: places[0])[0]
        let divided = try Self.run(3, .adapter, tokens: 40, shards: nil, sharding: .optimizer, savingIn: places[1])
        #expect(divided.map(\.ownState).reduce(0, +) == whole.ownState)
        for outcome in divided {
            #expect(outcome.ownState < whole.ownState)
            #expect(outcome.state.allSatisfy { whole.state[$0.key] == $0.value } && !outcome.state.isEmpty)
            #expect(outcome.norms == whole.norms && outcome.losses == whole.losses)
        }
        for name in ["optimizer.safetensors", "adapter_model.safetensors", "run_state.json"] {
            let files = try places.map { try Data(contentsOf: $0.appending(path: "checkpoint-3/\(name)")) }
            #expect(files[0] == files[1], "\(name)")
        }
    }

    @Test func workGoesToWhoHasLeast() {
        #expect(WorkShares(costs: [5, 4, 3, 3], processes: 2).pieces == [[0, 3], [1, 2]])
        #expect(WorkShares(costs: [1, 1], processes: 3).pieces == [[0], [1], []])
        #expect(WorkShares(costs: [], processes: 2).pieces == [[], []])
    }

    @Test func rowsKeepTheirValuesOnTheWay() {
        var row = Evaluation.Row()
        (row.tokens, row.negativeLogLikelihood, row.correct) = (3, 0.1 + 0.2, 2)
        #expect(Evaluation.Row(numbers: row.numbers) == row)
        row.preference = PreferenceRow(
            chosen: .init(logProbability: -1.5, reference: 1 / 3, tokens: 4), rejected: nil, mismatched: -0.25)
        #expect(Evaluation.Row(numbers: row.numbers) == row)
        var tallies = Tallies()
        tallies.add(0.1, to: .rewardsChosen, count: 0)
        tallies.add(2.5, to: .rewardsRejected, count: 3)
        #expect(Tallies(numbers: tallies.numbers).numbers == tallies.numbers)
    }
}
