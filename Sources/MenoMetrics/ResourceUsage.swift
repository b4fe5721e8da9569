/// Memory in use at one moment, in bytes.
public struct ResourceUsage: Sendable, Hashable, Codable {
    /// The memory of one accelerator, in bytes.
    public struct Accelerator: Sendable, Hashable, Codable {
        /// Its number, from 0.
        public var index: Int
        /// Bytes in tensors now.
        public var allocated: Int
        /// Bytes that the allocator holds.
        public var reserved: Int
        /// The most that ``allocated`` has been.
        public var peakAllocated: Int
        /// Share of time in which a kernel ran, 0…1, where the driver tells.
        public var utilization: Double?

        package init(index: Int, allocated: Int, reserved: Int, peakAllocated: Int, utilization: Double? = nil) {
            self.index = index
            self.allocated = allocated
            self.reserved = reserved
            self.peakAllocated = peakAllocated
            self.utilization = utilization
        }
    }

    /// Optimizer steps done when it was measured.
    public var step: Int
    /// Resident size of the process.
    public var resident: Int
    /// The largest that the resident size has been.
    public var peakResident: Int
    /// Seconds of a step in which each of several processes computed, by rank: a mean over the steps since the last reading.
    /// The others wait for the slowest one. `nil` where one trains alone.
    public var computingSeconds: [Double]?
    /// One entry for each accelerator in use.
    public var accelerators: [Accelerator]

    package init(step: Int, resident: Int, peakResident: Int, accelerators: [Accelerator] = []) {
        self.step = step
        self.resident = resident
        self.peakResident = peakResident
        self.accelerators = accelerators
    }
}
