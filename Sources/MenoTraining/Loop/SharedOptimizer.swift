internal import MenoModels
internal import MenoTensor

/// An optimizer whose state is divided over processes: each changes its own parameters, and sends them to the others.
final class SharedOptimizer {
    private let names: [String]
    private let parameters: [Tensor]
    /// The process that changes each parameter.
    let owners: [Int]
    private let processes: ProcessGroup

    /// - Parameter trained: all parameters, the same in every process. Each process has about as many values.
    init(_ trained: [(name: String, tensor: Tensor)], _ processes: ProcessGroup) {
        names = trained.map(\.name)
        parameters = trained.map(\.tensor)
        var owners = Array(repeating: 0, count: trained.count)
        let shares = WorkShares(costs: parameters.map(\.count), processes: processes.size)
        for (rank, pieces) in shares.pieces.enumerated() { for piece in pieces { owners[piece] = rank } }
        self.owners = owners
        self.processes = processes
    }

    /// The positions of this process's own parameters.
    var own: [Int] { owners.indices.filter { owners[$0] == processes.rank } }

    /// The norm of all gradients, of which each process has those of its own parameters.
    func norm() throws -> Double {
        let present = try own.compactMap { index in try parameters[index].gradient().map { (index, $0) } }
        let norms = try Gradients.norms(of: present.map(\.1))
        let numbers = zip(present, norms).flatMap { [Double($0.0), Double($1)] }
        var all: [Int: Float] = [:]
        for numbers in try processes.gather(numbers) {
            for start in stride(from: 0, to: numbers.count, by: 2) {
                all[Int(numbers[start])] = Float(numbers[start + 1])
            }
        }
        return try Gradients.norm(ofNorms: all.sorted { $0.key < $1.key }.map(\.value))
    }

    /// Gives all processes what each has changed.
    func distribute() throws {
        try withoutGradient {
            for rank in 0..<processes.size {
                let changed = parameters.indices.filter { owners[$0] == rank }.map { parameters[$0] }
                guard !changed.isEmpty else { continue }
                let isOwn = rank == processes.rank
                let count = changed.reduce(0) { $0 + $1.count }
                let values =
                    isOwn
                    ? try Tensor.concatenated(changed.map { try $0.detached().reshaped([$0.count]).to(.cpu) }, along: 0)
                    : try Tensor(uninitialized: [count], dtype: .float32)
                try processes.broadcast_(values, from: rank)
                guard !isOwn else { continue }
                var start = 0
                for parameter in changed {
                    let part = try values.narrowed(0, start: start, count: parameter.count).reshaped(parameter.shape)
                    try parameter.copy_(part.to(parameter.device))
                    start += parameter.count
                }
            }
        }
    }

    /// The whole state, as one process would have it. Every process calls this.
    /// - Parameter state: of this process's part.
    /// - Returns: `nil` in every process but the first.
    func whole(_ state: [(name: String, tensor: Tensor)]) throws -> NamedValues? {
        let own = try NamedValues(state)
        let lists = try processes.gather(
            own.entries.map { entry in "\(entry.name)\t\(entry.shape.map(String.init).joined(separator: ","))" }
                .joined(separator: "\n"))
        let shapes = lists.map { list in
            list.split(separator: "\n").map { line -> (name: String, shape: [Int]) in
                let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
                return (String(fields[0]), fields[1].split(separator: ",").compactMap { Int($0) })
            }
        }
        let counts = shapes.map { $0.reduce(0) { $0 + $1.shape.reduce(1, *) } }
        let empty = try Tensor(uninitialized: [0], dtype: .float32)
        let received = try processes.exchange(
            (0..<processes.size).map { $0 == 0 ? try Tensor(own.entries.flatMap(\.values)) : empty },
            shapes: (0..<processes.size).map { [processes.isFirst ? counts[$0] : 0] })
        guard processes.isFirst else { return nil }
        // In the order of one process: by parameters, each with what belongs to it.
        let known = Set(names)
        var entries: [(parameter: String, entry: NamedValues.Entry)] = []
        for (tensor, list) in zip(received, shapes) {
            let values = try tensor.array(of: Float.self)
            var start = 0
            for (name, shape) in list {
                let count = shape.reduce(1, *)
                entries.append(
                    (
                        Self.parameter(of: name, known),
                        NamedValues.Entry(name: name, shape: shape, values: Array(values[start..<start + count]))
                    ))
                start += count
            }
        }
        var result = own
        let order = entries.enumerated().sorted {
            ($0.element.parameter, $0.offset) < ($1.element.parameter, $1.offset)
        }
        result.entries = order.map(\.element.entry)
        return result
    }

    /// The parameter that a part of the state belongs to: `exp_avg.NAME`.
    private static func parameter(of name: String, _ known: Set<String>) -> String {
        name.firstIndex(of: ".").map { String(name[name.index(after: $0)...]) }.flatMap {
            known.contains($0) ? $0 : nil
        }
            ?? name
    }
}
