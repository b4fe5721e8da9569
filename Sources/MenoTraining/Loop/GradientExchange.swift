internal import MenoTensor

/// Adds up gradients of passes that several processes have computed, in the order of the passes: float32 sums as one process
/// would have made them.
///
/// Each process is sent its slice of the gradient of every pass, adds it, and sends the sum to the others. With N processes, P
/// passes on each and a gradient of G bytes, a process sends (N − 1) / N · G · (P + 1) bytes; a ring that adds in whatever
/// order it likes sends (N − 1) / N · G · 2.
final class GradientExchange {
    private let parameters: [Tensor]
    private let processes: ProcessGroup
    private let counts: [Int]
    /// The parameters in the order in which their gradients lie end to end.
    private let order: [Int]
    /// Which of these elements each process adds.
    private let ranges: [Range<Int>]
    /// Whose gradients each process keeps; `nil`: every process gets all of them.
    private let owners: [Int]?
    /// This process's slice of the sum over the passes so far.
    private var sum: Tensor?
    /// Which parameters some pass had a gradient of.
    private var isPresent: [Bool]

    /// Bytes of gradients that a process holds for an exchange, at most, unless one pass has more.
    private static let heldBytes = 256 << 20

    /// - Parameter owners: the process that changes each parameter, where each changes only some; `nil`: all change all.
    init(_ parameters: [Tensor], _ processes: ProcessGroup, owners: [Int]? = nil) {
        self.parameters = parameters
        self.processes = processes
        self.owners = owners
        counts = parameters.map(\.count)
        if let owners {
            var (order, ranges, start): ([Int], [Range<Int>], Int) = ([], [], 0)
            for rank in 0..<processes.size {
                let own = parameters.indices.filter { owners[$0] == rank }
                let end = start + own.reduce(0) { $0 + parameters[$1].count }
                order += own
                ranges.append(start..<end)
                start = end
            }
            (self.order, self.ranges) = (order, ranges)
        } else {
            let total = counts.reduce(0, +)
            let slice = (total + processes.size - 1) / processes.size
            order = Array(parameters.indices)
            ranges = (0..<processes.size).map { min(total, $0 * slice)..<min(total, ($0 + 1) * slice) }
        }
        isPresent = parameters.map { _ in false }
    }

    /// How many passes are computed between two exchanges.
    static func passes(between parameters: [Tensor], _ processes: ProcessGroup) -> Int {
        let bytes = parameters.reduce(0) { $0 + $1.count } * MemoryLayout<Float>.size
        return max(1, heldBytes / max(1, bytes)) * processes.size
    }

    /// The gradient of a pass, apart from those before it.
    struct Contribution {
        /// Of all parameters, end to end.
        let values: Tensor
        let isPresent: [Bool]
    }

    /// Takes the gradients that a backward pass has left.
    func take() throws -> Contribution {
        try withoutGradient {
            var isPresent: [Bool] = []
            let parts = try order.map { index in
                let parameter = parameters[index]
                let gradient = try parameter.gradient()
                isPresent.append(gradient != nil)
                try parameter.setGradient(nil)
                // −0 is what changes no number that it is added to, not even another −0.
                return try gradient?.reshaped([parameter.count]).to(.cpu)
                    ?? Tensor.full([parameter.count], -0.0, dtype: .float32)
            }
            return Contribution(values: try Tensor.concatenated(parts, along: 0), isPresent: isPresent)
        }
    }

    /// Adds what the processes have computed of some passes.
    /// - Parameters:
    ///   - own: by this process, in the order of the passes.
    ///   - owners: who computed each of the passes, in their order.
    func add(_ own: [Contribution], owners: [Int]) throws {
        try withoutGradient {
            let outgoing = try ranges.map { range in
                guard !own.isEmpty else { return try Tensor(uninitialized: [0], dtype: .float32) }
                return try Tensor.concatenated(
                    own.map { try $0.values.narrowed(0, start: range.lowerBound, count: range.count) }, along: 0)
            }
            let mine = ranges[processes.rank].count
            let shapes = (0..<processes.size).map { rank in [mine * owners.count { $0 == rank }] }
            let incoming = try processes.exchange(outgoing, shapes: shapes)
            var next = Array(repeating: 0, count: processes.size)
            for owner in owners {
                let part = try incoming[owner].narrowed(0, start: next[owner] * mine, count: mine)
                next[owner] += 1
                if let sum { try sum.add_(part) } else { sum = try part.cloned() }
            }
        }
        for contribution in own {
            for (index, present) in contribution.isPresent.enumerated() where present { isPresent[index] = true }
        }
    }

    /// Gives every process the sums, as the gradients of its parameters: of all of them, or of those that it changes.
    func finish() throws {
        guard let sum else { return }
        try withoutGradient {
            let presence = try processes.gather(Tensor(isPresent.map { UInt8($0 ? 1 : 0) }))
                .map { try $0.array(of: UInt8.self) }
            let all = owners == nil ? try gathered(sum) : sum
            let own = owners.map { owners in order.filter { owners[$0] == processes.rank } } ?? order
            let place = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
            var start = 0
            for index in own {
                let parameter = parameters[index]
                if presence.contains(where: { $0[place[index]!] == 1 }) {
                    let gradient = try all.narrowed(0, start: start, count: counts[index]).reshaped(parameter.shape)
                    // A tensor of its own: kernels and clipping treat it as what a backward pass leaves.
                    try parameter.setGradient(gradient.cloned().to(parameter.device))
                }
                start += counts[index]
            }
        }
    }

    /// The sums of all processes, end to end.
    private func gathered(_ sum: Tensor) throws -> Tensor {
        let missing = ranges[0].count - sum.count
        let padded = missing == 0 ? sum : try Tensor.concatenated([sum, .zeros([missing])], along: 0)
        return try Tensor.concatenated(processes.gather(padded), along: 0)
    }
}
