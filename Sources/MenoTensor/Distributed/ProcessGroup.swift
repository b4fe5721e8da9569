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
    private let handle: OpaquePointer?

    /// A group of this process alone.
    package init() {
        rank = 0
        size = 1
        handle = nil
    }

    /// Joins the others, and waits until all of them are there.
    /// - Throws: ``TorchError`` where they do not come in time, or the store cannot be reached.
    package init(rank: Int, size: Int, at rendezvous: Rendezvous) throws {
        precondition(size > 0 && (0..<size).contains(rank), "a rank is one of the group's")
        self.rank = rank
        self.size = size
        var handle: OpaquePointer?
        try rendezvous.host.withCString { host in
            try rendezvous.prefix.withCString { prefix in
                try withOptionalCString(rendezvous.interface) { interface in
                    try withOptionalCString(rendezvous.address) { address in
                        var place = ct_rendezvous(
                            host: host, port: rendezvous.port, hosts_store: rendezvous.hostsStore, prefix: prefix,
                            interface: interface, address: address, rank: Int32(rank), size: Int32(size),
                            join_timeout: rendezvous.joinTimeout, timeout: rendezvous.timeout)
                        try check(ct_process_group_join(&place, &handle), "process group")
                    }
                }
            }
        }
        self.handle = handle
    }

    deinit { ct_process_group_leave(handle) }

    /// Every process's tensor, by rank.
    /// - Parameter part: of one shape and type in all processes; on the CPU.
    package func gather(_ part: Tensor) throws -> [Tensor] {
        guard let handle else { return [part] }
        let part = try part.contiguous()
        let parts = try (0..<size).map { _ in try Tensor(uninitialized: part.shape, dtype: part.dtype) }
        var handles: [OpaquePointer?] = parts.map(\.handle)
        try withExtendedLifetime((part, parts)) {
            try check(ct_process_group_gather(handle, part.handle, &handles, Int64(size)), "gather")
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
            try check(ct_process_group_exchange(handle, &sent, &received, Int64(size)), "exchange")
        }
        return incoming
    }

    /// Replaces a tensor by that of one process. It is contiguous and on the CPU.
    package func broadcast_(_ tensor: Tensor, from root: Int) throws {
        guard let handle else { return }
        try check(ct_process_group_broadcast(handle, tensor.handle, Int32(root)), "broadcast")
    }

    /// Waits for everybody.
    package func barrier() throws { _ = try gather(Tensor([Int64(0)])) }

    /// What each process decides, by rank: nobody acts alone on what it alone has seen.
    package func agree(_ decision: Int) throws -> [Int] {
        guard handle != nil else { return [decision] }
        return try gather(Tensor([Int64(decision)])).map { Int(try $0.array(of: Int64.self)[0]) }
    }

    /// Whether any process says yes.
    package func agree(ifAny decision: Bool) throws -> Bool { try agree(decision ? 1 : 0).contains(1) }
}

private func withOptionalCString<Result>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) throws -> Result
) rethrows -> Result {
    guard let text else { return try body(nil) }
    return try text.withCString(body)
}
