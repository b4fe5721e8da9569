internal import CTorch

/// The processes of a distributed run, and their collective operations.
///
/// Every process calls the same operations in the same order. In a group of one, operations return immediately.
package final class ProcessGroup {
    /// Where the processes meet, and how this one is reached.
    package struct Rendezvous: Sendable, Hashable {
        /// The host and port of the store. If this process hosts the store, port 0 picks a free port.
        package var host: String
        package var port: UInt16
        package var hostsStore: Bool
        /// The prefix of the store's keys, which keeps groups that share a store separate.
        package var prefix: String
        /// The network interface that this process listens on; `nil`: the one with ``address``.
        package var interface: String?
        /// The address to listen on; `nil`: the address of the machine's host name.
        package var address: String?
        /// Timeouts in seconds: for all processes to join, and for one operation.
        package var joinTimeout = 300.0
        package var timeout = 1800.0
        /// The rank of this process among those of the group on this machine, and their number.
        package var localRank = 0
        package var localSize = 1
        /// The host of the store, in words.
        package var storeHost = "rank 0"

        package init(
            host: String, port: UInt16, hostsStore: Bool, prefix: String = "meno", interface: String? = nil,
            address: String? = nil
        ) {
            self.host = host
            self.port = port
            self.hostsStore = hostsStore
            self.prefix = prefix
            self.interface = interface
            self.address = address
        }
    }

    /// This process's rank, from 0, and the number of processes.
    package let rank: Int
    package let size: Int
    /// The rank among, and the number of, the processes on this machine.
    package let localRank: Int
    package let localSize: Int
    private let storeHost: String
    /// Detects lost processes; `nil` in a group of one.
    package let watch: ProcessWatch?
    private let handle: OpaquePointer?

    /// A group of only this process.
    package init() {
        rank = 0
        size = 1
        (localRank, localSize) = (0, 1)
        storeHost = "rank 0"
        watch = nil
        handle = nil
    }

    /// Whether this is rank 0, which writes files and reports progress.
    package var isFirst: Bool { rank == 0 }

    /// Joins the other processes and waits until all have joined.
    /// - Throws: ``TorchError`` if a process does not join in time or the store cannot be reached.
    package init(rank: Int, size: Int, at rendezvous: Rendezvous) throws {
        precondition(size > 0 && (0..<size).contains(rank), "a rank is one of the group's")
        self.rank = rank
        self.size = size
        (localRank, localSize) = (rendezvous.localRank, rendezvous.localSize)
        storeHost = rendezvous.storeHost
        var handle: OpaquePointer?
        var watch: OpaquePointer?
        try rendezvous.host.withCString { host in
            try rendezvous.prefix.withCString { prefix in
                try withOptionalCString(rendezvous.interface) { interface in
                    try withOptionalCString(rendezvous.address) { address in
                        var place = ct_rendezvous(
                            host: host, port: rendezvous.port, hosts_store: rendezvous.hostsStore, prefix: prefix,
                            interface: interface, address: address, rank: Int32(rank), size: Int32(size),
                            join_timeout: rendezvous.joinTimeout, timeout: rendezvous.timeout)
                        try check(ct_process_group_join(&place, &handle), "process group")
                        try check(ct_process_watch_begin(handle, &place, &watch), "process group")
                    }
                }
            }
        }
        self.handle = handle
        self.watch = ProcessWatch(watch!, rank: rank, size: size)
    }

    deinit {
        watch?.end()
        ct_process_group_leave(handle)
    }

    /// - Throws: ``TorchError``; with `processLost` and the rank of the process if the operation failed because a process was
    ///   lost.
    private func operation(_ name: String, _ status: ct_status) throws {
        do {
            try check(status, name)
        } catch let error as TorchError {
            guard let watch, let verdict = watch.culprit(storeHost: storeHost) else { throw error }
            // This process now ends by itself and may take time to save.
            watch.leave()
            throw TorchError(
                .processLost, verdict + ".",
                advice: "This process ends too. Resume the run from its last checkpoint.", settings: [.resumption])
        }
    }

    /// Starts to detect lost processes.
    /// - Parameter onSilence: called with the name of a lost process if this process does not end by itself afterwards.
    package func beginWatching(onSilence: @escaping @Sendable (_ verdict: String) -> Never) {
        watch?.begin(storeHost: storeHost, onSilence: onSilence)
    }

    /// Waits for all processes and stops watching them.
    package func finish() throws {
        try barrier()
        watch?.end()
    }

    /// Every process's tensor, by rank.
    /// - Parameter part: a CPU tensor with the same shape and type in all processes.
    package func gather(_ part: Tensor) throws -> [Tensor] {
        guard let handle else { return [part] }
        let part = try part.contiguous()
        let parts = try (0..<size).map { _ in try Tensor(uninitialized: part.shape, dtype: part.dtype) }
        var handles: [OpaquePointer?] = parts.map(\.handle)
        try withExtendedLifetime((part, parts)) {
            try operation("gather", ct_process_group_gather(handle, part.handle, &handles, Int64(size)))
        }
        return parts
    }

    /// Sends a tensor to each process, and returns what each sent to this one, by rank.
    /// - Parameters:
    ///   - parts: `[size]` tensors of one type, on the CPU, by rank.
    ///   - shapes: `[size]` shapes of the tensors to receive, by rank.
    package func exchange(_ parts: [Tensor], shapes: [[Int]]) throws -> [Tensor] {
        precondition(parts.count == size && shapes.count == size, "one part for each process")
        guard let handle else { return parts }
        let outgoing = try parts.map { try $0.contiguous() }
        let incoming = try shapes.map { try Tensor(uninitialized: $0, dtype: parts[0].dtype) }
        var (sent, received): ([OpaquePointer?], [OpaquePointer?]) = (outgoing.map(\.handle), incoming.map(\.handle))
        try withExtendedLifetime((outgoing, incoming)) {
            try operation("exchange", ct_process_group_exchange(handle, &sent, &received, Int64(size)))
        }
        return incoming
    }

    /// Replaces a tensor with that of one process. It must be contiguous and on the CPU.
    package func broadcast_(_ tensor: Tensor, from root: Int) throws {
        guard let handle else { return }
        try operation("broadcast", ct_process_group_broadcast(handle, tensor.handle, Int32(root)))
    }

    /// Every process's numbers, by rank; their count may differ.
    package func gather(_ numbers: [Double]) throws -> [[Double]] {
        guard handle != nil else { return [numbers] }
        let counts = try agree(numbers.count)
        let most = counts.max() ?? 0
        guard most > 0 else { return counts.map { _ in [] } }
        let padded = numbers + Array(repeating: 0, count: most - numbers.count)
        return try zip(gather(Tensor(padded)), counts).map { Array(try $0.array(of: Double.self).prefix($1)) }
    }

    /// Gathers every process's text, by rank.
    package func gather(_ text: String) throws -> [String] {
        guard handle != nil else { return [text] }
        let bytes = Array(text.utf8)
        let counts = try agree(bytes.count)
        let most = max(1, counts.max() ?? 0)
        let padded = bytes + Array(repeating: 0, count: most - bytes.count)
        return try zip(gather(Tensor(padded)), counts).map {
            String(decoding: try $0.array(of: UInt8.self).prefix($1), as: UTF8.self)
        }
    }

    /// Waits for all processes.
    package func barrier() throws { _ = try gather(Tensor([Int64(0)])) }

    /// Every process's decision, by rank, so that no process acts on information that only it has.
    package func agree(_ decision: Int) throws -> [Int] {
        guard handle != nil else { return [decision] }
        return try gather(Tensor([Int64(decision)])).map { Int(try $0.array(of: Int64.self)[0]) }
    }

    /// The decision of rank 0.
    package func decide(_ decision: Bool) throws -> Bool { try agree(decision ? 1 : 0)[0] == 1 }

    /// Whether the decision of any process is true.
    package func agree(ifAny decision: Bool) throws -> Bool { try agree(decision ? 1 : 0).contains(1) }
}

private func withOptionalCString<Result>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) throws -> Result
) rethrows -> Result {
    guard let text else { return try body(nil) }
    return try text.withCString(body)
}
