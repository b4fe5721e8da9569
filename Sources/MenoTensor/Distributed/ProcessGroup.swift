internal import CTorch

/// The processes that train together: what they gather, exchange and agree upon.
///
/// Every process calls the same operations in the same order. A group of one computes nothing and waits for nobody.
package final class ProcessGroup {
    /// Where processes meet, and what this one is called there.
    package struct Rendezvous: Sendable, Hashable {
        /// The host and port of the store. Port 0 where this process hosts it: a free one.
        package var host: String
        package var port: UInt16
        package var hostsStore: Bool
        /// Of the store's keys: tells groups apart that use one store.
        package var prefix: String
        /// The network interface that this process listens on; `nil`: by ``address``.
        package var interface: String?
        /// The address that it listens on; `nil`: that of the machine's host name.
        package var address: String?
        /// Seconds until all processes must have joined, and that an operation may take.
        package var joinTimeout = 300.0
        package var timeout = 1800.0
        /// Processes of the group on this machine, this one included, and this one's number among them.
        package var localRank = 0
        package var localSize = 1
        /// Who has the store, in words.
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

    /// This process's number, from 0, and how many there are.
    package let rank: Int
    package let size: Int
    /// The same among the processes of this machine.
    package let localRank: Int
    package let localSize: Int
    private let storeHost: String
    /// Notices processes that are lost; `nil` in a group of one.
    package let watch: ProcessWatch?
    private let handle: OpaquePointer?

    /// A group of this process alone.
    package init() {
        rank = 0
        size = 1
        (localRank, localSize) = (0, 1)
        storeHost = "rank 0"
        watch = nil
        handle = nil
    }

    /// Whether this process speaks for all: writes files, and tells what happens.
    package var isFirst: Bool { rank == 0 }

    /// Joins the others, and waits until all of them are there.
    /// - Throws: ``TorchError`` where they do not come in time, or the store cannot be reached.
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

    /// - Throws: ``TorchError`` with `processLost`, which names the process that let an operation fail, where one did.
    private func operation(_ name: String, _ status: ct_status) throws {
        do {
            try check(status, name)
        } catch let error as TorchError {
            guard let watch, let verdict = watch.culprit(storeHost: storeHost) else { throw error }
            // This process ends by itself now, and takes the time that it needs to save.
            watch.leave()
            throw TorchError(
                .processLost, verdict + ".",
                advice: "This process ends too. Resume the run from its last checkpoint.", settings: [.resumption])
        }
    }

    /// Begins to notice processes that are lost.
    /// - Parameter onSilence: called, with who is lost, where this process does not end by itself then.
    package func beginWatching(onSilence: @escaping @Sendable (_ verdict: String) -> Never) {
        watch?.begin(storeHost: storeHost, onSilence: onSilence)
    }

    /// Waits for everybody; from then on, nobody is missed.
    package func finish() throws {
        try barrier()
        watch?.end()
    }

    /// Every process's tensor, by rank.
    /// - Parameter part: of one shape and type in all processes; on the CPU.
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

    /// Sends a tensor to each process, and returns what each sends to this one, by rank.
    /// - Parameters:
    ///   - parts: `[size]` tensors of one type, on the CPU, by rank.
    ///   - shapes: `[size]`, of what comes from each.
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

    /// Replaces a tensor by that of one process. It is contiguous and on the CPU.
    package func broadcast_(_ tensor: Tensor, from root: Int) throws {
        guard let handle else { return }
        try operation("broadcast", ct_process_group_broadcast(handle, tensor.handle, Int32(root)))
    }

    /// Every process's numbers, by rank; as many as each has.
    package func gather(_ numbers: [Double]) throws -> [[Double]] {
        guard handle != nil else { return [numbers] }
        let counts = try agree(numbers.count)
        let most = counts.max() ?? 0
        guard most > 0 else { return counts.map { _ in [] } }
        let padded = numbers + Array(repeating: 0, count: most - numbers.count)
        return try zip(gather(Tensor(padded)), counts).map { Array(try $0.array(of: Double.self).prefix($1)) }
    }

    /// Every process's text, by rank.
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

    /// Waits for everybody.
    package func barrier() throws { _ = try gather(Tensor([Int64(0)])) }

    /// What each process decides, by rank: nobody acts alone on what it alone has seen.
    package func agree(_ decision: Int) throws -> [Int] {
        guard handle != nil else { return [decision] }
        return try gather(Tensor([Int64(decision)])).map { Int(try $0.array(of: Int64.self)[0]) }
    }

    /// What the first process decides.
    package func decide(_ decision: Bool) throws -> Bool { try agree(decision ? 1 : 0)[0] == 1 }

    /// Whether any process says yes.
    package func agree(ifAny decision: Bool) throws -> Bool { try agree(decision ? 1 : 0).contains(1) }
}

private func withOptionalCString<Result>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) throws -> Result
) rethrows -> Result {
    guard let text else { return try body(nil) }
    return try text.withCString(body)
}
