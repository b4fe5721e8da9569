internal import CTorch

/// This process's memory on an accelerator, in bytes.
package struct DeviceMemory: Sendable, Hashable {
    /// Currently used by tensors.
    package var allocated: Int
    /// Currently reserved from the device, used by tensors or cached.
    package var reserved: Int
    /// The peak of ``allocated`` since the last reset.
    package var peakAllocated: Int
}

extension Device {
    /// Waits until all queued work on this device is done.
    package func synchronize() throws { try check(ct_synchronize(raw), "synchronize") }

    /// The allocator's statistics; `nil` on the CPU, whose memory the operating system manages.
    package func memory() throws -> DeviceMemory? {
        guard kind != .cpu else { return nil }
        var memory = ct_memory()
        try check(ct_memory_statistics(raw, &memory), "memory statistics")
        return DeviceMemory(
            allocated: Int(memory.allocated), reserved: Int(memory.reserved),
            peakAllocated: Int(memory.peak_allocated))
    }

    /// Bytes still available for tensors on this accelerator; `nil` on the CPU.
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

    /// Returns cached memory to the device.
    package func emptyCache() throws { try check(ct_empty_cache(raw), "empty_cache") }

    /// Returns cached memory to the device and to the host, as far as possible.
    package func releaseMemory() {
        try? emptyCache()
        Torch.releaseUnusedHostMemory()
    }
}

/// The libtorch of this process.
package enum Torch {
    /// `2.13.0`
    package static var version: String { String(cString: ct_libtorch_version()) }

    /// The instruction set of its CPU kernels: `AVX512`, `AVX2`, `DEFAULT`, …
    package static var cpuCapability: String {
        guard let name = ct_cpu_capability() else { return "unknown" }
        defer { ct_string_free(name) }
        return String(cString: name)
    }

    /// The number of threads that an operator uses on the CPU; at least 1.
    package static var threadCount: Int {
        get { Int(ct_thread_count()) }
        set {
            precondition(newValue > 0, "an operator needs a thread")
            ct_set_thread_count(Int32(newValue))
        }
    }

    /// Runs `body` on only this thread, so that the order of sums does not depend on the number of threads.
    package static func withOneThread<Result>(_ body: () throws -> Result) rethrows -> Result {
        let before = threadCount
        guard before > 1 else { return try body() }
        threadCount = 1
        defer { threadCount = before }
        return try body()
    }

    /// Runs `body` with libtorch's deterministic algorithms. Operators that have none throw.
    static func withFixedOrder<Result>(_ body: () throws -> Result) rethrows -> Result {
        ct_set_fixed_order(true)
        defer { ct_set_fixed_order(false) }
        return try body()
    }

    /// Limits the cache of the CPU's matrix library, which keeps working memory for each shape. Its default of 1,024 shapes grows
    /// to gigabytes for packed sequences with ever-changing lengths. Call this before computing anything; limits from the
    /// environment are kept.
    package static func limitPrimitiveCaches() { ct_limit_primitive_caches() }

    /// Keeps freed host memory for reuse, since every step allocates the same amounts and the system has to zero every page that
    /// it hands out again. Call this before computing anything.
    package static func keepHostMemory() { ct_keep_host_memory() }

    /// Returns freed host memory that is kept for reuse to the system.
    package static func releaseUnusedHostMemory() { ct_release_host_memory() }
}
