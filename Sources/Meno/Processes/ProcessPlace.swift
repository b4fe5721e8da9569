internal import MenoConfiguration
package import MenoTensor

/// The rank of a process among those that train together, read from the environment that `meno
/// train --processes`, torchrun, SLURM's `srun` or a Kubernetes job sets.
package struct ProcessPlace: Sendable, Hashable {
    package var rank: Int
    package var size: Int
    /// The rank among the processes on this machine.
    package var localRank: Int
    package var localSize: Int
    package var rendezvous: ProcessGroup.Rendezvous

    /// The variables set by torchrun and PyTorchJob.
    package static let names = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
    /// Seconds within which all processes must join.
    package static let joinTimeoutName = "MENO_JOIN_TIMEOUT"

    /// - Returns: `nil` for a process that trains alone.
    /// - Throws: ``ConfigurationError`` if the variables are incomplete or contradictory.
    package init?(_ environment: [String: String]) throws {
        guard let values = try Self.values(environment) else { return nil }
        let read = { (name: String, range: ClosedRange<Int>) throws -> Int in
            guard let text = values[name] else {
                throw Self.fault(
                    name, "is not set, and \(Self.names.filter { values[$0] != nil }.joined(separator: ", ")) is.")
            }
            guard let value = Int(text), range.contains(value) else {
                throw Self.fault(name, "is \(text); expected from \(range.lowerBound) to \(range.upperBound).")
            }
            return value
        }
        size = try read("WORLD_SIZE", 1...4096)
        rank = try read("RANK", 0...(size - 1))
        guard size > 1 else { return nil }
        localSize = values["LOCAL_WORLD_SIZE"] == nil ? 1 : try read("LOCAL_WORLD_SIZE", 1...size)
        localRank = values["LOCAL_RANK"] == nil ? 0 : try read("LOCAL_RANK", 0...(size - 1))
        let port = try read("MASTER_PORT", 1...65535)
        guard let host = values["MASTER_ADDR"], !host.isEmpty else {
            throw Self.fault("MASTER_ADDR", "is not set, and RANK is.")
        }
        // torchrun's agent already runs the store, one for all attempts of a job.
        let isAgents = ["true", "1"].contains(values["TORCHELASTIC_USE_AGENT_STORE"]?.lowercased())
        let attempt = values["TORCHELASTIC_RESTART_COUNT"] ?? "0"
        let run = values["TORCHELASTIC_RUN_ID"] ?? "run"
        rendezvous = ProcessGroup.Rendezvous(
            host: host, port: UInt16(port), hostsStore: !isAgents && rank == 0, prefix: "meno/\(run)/\(attempt)",
            interface: values["GLOO_SOCKET_IFNAME"].flatMap { $0.isEmpty ? nil : $0 },
            address: Self.isLoopback(host) ? "127.0.0.1" : nil)
        rendezvous.storeHost = isAgents ? "torchrun's store at \(host):\(port)" : "rank 0, which has the store,"
        (rendezvous.localRank, rendezvous.localSize) = (localRank, localSize)
        if values[Self.joinTimeoutName] != nil {
            rendezvous.joinTimeout = Double(try read(Self.joinTimeoutName, 1...86400))
        }
    }

    static func isLoopback(_ host: String) -> Bool { host == "localhost" || host.hasPrefix("127.") }

    private static func fault(_ name: String, _ message: String) -> ConfigurationError {
        ConfigurationError(
            .invalid, at: name, message,
            advice: "RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT must all be set, by torchrun or a job's controller; "
                + "unset all of them to train in a single process.")
    }

    /// The variables by torchrun's names.
    private static func values(_ environment: [String: String]) throws -> [String: String]? {
        if environment["RANK"] != nil || environment["WORLD_SIZE"] != nil { return environment }
        // A batch script also has most of SLURM's variables; only a step with several tasks has
        // these.
        guard let tasks = environment["SLURM_STEP_NUM_TASKS"].flatMap(Int.init), tasks > 1,
            environment["SLURM_STEP_ID"] != nil, let rank = environment["SLURM_PROCID"]
        else { return nil }
        var values = environment
        values["RANK"] = rank
        values["WORLD_SIZE"] = "\(tasks)"
        values["LOCAL_RANK"] = environment["SLURM_LOCALID"]
        values["LOCAL_WORLD_SIZE"] = environment["SLURM_STEP_TASKS_PER_NODE"].flatMap { localTasks($0, environment) }
        if environment["MASTER_ADDR"] == nil {
            guard let list = environment["SLURM_STEP_NODELIST"] ?? environment["SLURM_NODELIST"],
                let first = firstHost(list)
            else { throw fault("SLURM_STEP_NODELIST", "names no host.") }
            values["MASTER_ADDR"] = first
        }
        if environment["MASTER_PORT"] == nil {
            // Jobs that share a node use different ports.
            let job = environment["SLURM_JOB_ID"].flatMap(Int.init) ?? 0
            let step = environment["SLURM_STEP_ID"].flatMap(Int.init) ?? 0
            values["MASTER_PORT"] = "\(20_000 + (job &* 16 &+ step).magnitude % 10_000)"
        }
        return values
    }

    /// The number of tasks on this node, from a list such as `2(x3),1`.
    private static func localTasks(_ list: String, _ environment: [String: String]) -> String? {
        guard let node = environment["SLURM_NODEID"].flatMap(Int.init) else { return nil }
        let counts = list.split(separator: ",").flatMap { part -> [Substring] in
            let fields = part.split(separator: "(")
            let times = fields.count > 1 ? Int(fields[1].dropFirst().dropLast()) ?? 1 : 1
            return Array(repeating: fields[0], count: max(1, times))
        }
        return counts.indices.contains(node) ? String(counts[node]) : nil
    }

    /// The first host of a list such as `a[03-05,9],b`.
    static func firstHost(_ list: String) -> String? {
        guard let end = list.firstIndex(where: { $0 == "," || $0 == "[" }) else { return list.isEmpty ? nil : list }
        let name = list[..<end]
        guard list[end] == "[" else { return String(name) }
        let number = list[list.index(after: end)...].prefix { $0.isNumber }
        let rest = list[end...].drop { $0 != "]" }.dropFirst().prefix { $0 != "," }
        return number.isEmpty ? nil : "\(name)\(number)\(rest)"
    }

    /// Joins the other processes.
    /// - Throws: `TorchError` if they do not join in time or the store cannot be reached.
    package func join() throws -> ProcessGroup {
        do {
            return try ProcessGroup(rank: rank, size: size, at: rendezvous)
        } catch let error as TorchError {
            let host = "\(rendezvous.host):\(rendezvous.port)"
            throw TorchError(
                .processLost,
                "rank \(rank) did not meet all \(size) processes at \(host) within \(Int(rendezvous.joinTimeout)) s "
                    + "(\(error.message.split(separator: "\n").first ?? "no reason given")).",
                advice: "Check that every process was started, can reach that port and has the same WORLD_SIZE; "
                    + "\(Self.joinTimeoutName) sets how many seconds they have.")
        }
    }
}
