internal import CTorch

/// Memory of an accelerator that this process holds, in bytes.
package struct DeviceMemory: Sendable, Hashable {
    /// In tensors now.
    package var allocated: Int
    /// Taken from the device now, in tensors or kept for new ones.
    package var reserved: Int
    /// The most that was in tensors since the last reset.
    package var peakAllocated: Int
}

extension Device {
    /// Waits until everything queued on this device is done.
    package func synchronize() throws { try check(ct_synchronize(raw), "synchronize") }

    /// The allocator's statistics; `nil` on the CPU, whose memory the operating system counts.
    package func memory() throws -> DeviceMemory? {
        guard kind != .cpu else { return nil }
        var memory = ct_memory()
        try check(ct_memory_statistics(raw, &memory), "memory statistics")
        return DeviceMemory(
            allocated: Int(memory.allocated), reserved: Int(memory.reserved),
            peakAllocated: Int(memory.peak_allocated))
    }

    /// Bytes that new tensors can still take on this accelerator; `nil` on the CPU.
    package func freeMemory() throws -> Int? {
        guard kind != .cpu else { return nil }
        var bytes: Int64 = 0
        try check(ct_free_memory(raw, &bytes), "free memory")
        return Int(bytes)
    }

    /// Resets the peaks of ``memory()``.
    package func resetPeakMemory() throws {
        guard kind != .cpu else { return }
        try check(ct_reset_peak_memory(raw), "memory statistics")
    }

    /// Gives memory that no tensor uses back to the device.
    package func emptyCache() throws { try check(ct_empty_cache(raw), "empty_cache") }

    /// The same, and for memory of the host; what cannot be given back is kept.
    package func releaseMemory() {
        try? emptyCache()
        Torch.releaseUnusedHostMemory()
    }
}

/// The libtorch that the process runs with.
package enum Torch {
    /// `2.13.0`
    package static var version: String { String(cString: ct_libtorch_version()) }

    /// The instruction set of its CPU kernels: `AVX512`, `AVX2`, `DEFAULT`, …
    package static var cpuCapability: String {
        guard let name = ct_cpu_capability() else { return "unknown" }
        defer { ct_string_free(name) }
        return String(cString: name)
    }

    /// Threads that one operator is shared out over on the CPU, at least one.
    package static var threadCount: Int {
        get { Int(ct_thread_count()) }
        set {
            precondition(newValue > 0, "an operator needs a thread")
            ct_set_thread_count(Int32(newValue))
        }
    }

    /// Runs `body` on this thread alone, so that sums have one order whatever the number of threads.
    package static func withOneThread<Result>(_ body: () throws -> Result) rethrows -> Result {
        let before = threadCount
        guard before > 1 else { return try body() }
        threadCount = 1
        defer { threadCount = before }
        return try body()
    }

    /// Runs `body` with kernels whose sums have a fixed order wherever libtorch has both kinds, or an error where it has none.
    static func withFixedOrder<Result>(_ body: () throws -> Result) rethrows -> Result {
        ct_set_fixed_order(true)
        defer { ct_set_fixed_order(false) }
        return try body()
    }

    /// Bounds what the CPU's matrix library remembers of shapes it has seen, each with its working memory: by default 1,024
    /// of them, which for packed sequences of ever new lengths grows to gigabytes. To be called before anything is
    /// computed; limits that the environment sets are kept.
    package static func limitPrimitiveCaches() { ct_limit_primitive_caches() }

    /// Keeps freed host memory for what comes next, as each step allocates what the one before did: a page that the system
    /// takes back and gives again it must fill with zeros. To be called before anything is computed.
    package static func keepHostMemory() { ct_keep_host_memory() }

    /// Gives host memory that was freed, but is kept for later, back to the system.
    package static func releaseUnusedHostMemory() { ct_release_host_memory() }
}
