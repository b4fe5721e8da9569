/// Memory in use at one moment, in bytes.
public struct ResourceUsage: Sendable, Hashable, Codable {
    /// The memory of one accelerator, in bytes.
    public struct Accelerator: Sendable, Hashable, Codable {
        /// The device's index, from 0.
        public var index: Int
        /// Bytes currently used by tensors.
        public var allocated: Int
        /// Bytes reserved by the allocator.
        public var reserved: Int
        /// The peak of ``allocated``.
        public var peakAllocated: Int
        /// Share of time in which a kernel ran, 0…1, or `nil` if the driver does not report it.
        public var utilization: Double?

        package init(index: Int, allocated: Int, reserved: Int, peakAllocated: Int, utilization: Double? = nil) {
            self.index = index
            self.allocated = allocated
            self.reserved = reserved
            self.peakAllocated = peakAllocated
            self.utilization = utilization
        }
    }

    /// The number of completed optimizer steps at the measurement.
    public var step: Int
    /// Resident memory of the process in bytes.
    public var resident: Int
    /// The peak of the resident memory in bytes.
    public var peakResident: Int
    /// The seconds per step that each process spent computing, by rank, averaged over the steps since the last reading. All wait
    /// for the slowest one. `nil` with a single process.
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
