package import MenoMetrics
package import MenoTensor

/// Reads what a run uses.
package enum ResourceReading {
    /// Memory of the process and of an accelerator, now.
    package static func current(step: Int, device: Device) -> ResourceUsage {
        let memory = ProcessMemory.current()
        var usage = ResourceUsage(step: step, resident: memory.resident, peakResident: memory.peakResident)
        if let accelerator = try? device.memory() {
            usage.accelerators = [
                .init(
                    index: 0, allocated: accelerator.allocated, reserved: accelerator.reserved,
                    peakAllocated: accelerator.peakAllocated,
                    utilization: device.kind == .cuda ? AcceleratorUtilization.current(index: device.index) : nil)
            ]
        }
        return usage
    }
}
