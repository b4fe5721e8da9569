#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// How busy NVIDIA GPUs are, as the driver's management library tells; it comes with the driver and is loaded where it is.
/// Source: NVML's reference, `nvmlDeviceGetUtilizationRates`.
enum AcceleratorUtilization {
    private typealias Initialize = @convention(c) () -> Int32
    private typealias GetHandle = @convention(c) (UInt32, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    /// The second argument points to two numbers in percent: of the processors, of the memory.
    private typealias GetRates = @convention(c) (OpaquePointer?, UnsafeMutablePointer<UInt32>) -> Int32

    private struct Library: Sendable {
        let getHandle: GetHandle
        let getRates: GetRates
    }

    private static let library: Library? = {
        guard let library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL),
            let initialize = dlsym(library, "nvmlInit_v2"),
            let getHandle = dlsym(library, "nvmlDeviceGetHandleByIndex_v2"),
            let getRates = dlsym(library, "nvmlDeviceGetUtilizationRates"),
            unsafeBitCast(initialize, to: Initialize.self)() == 0
        else { return nil }
        return Library(
            getHandle: unsafeBitCast(getHandle, to: GetHandle.self),
            getRates: unsafeBitCast(getRates, to: GetRates.self))
    }()

    /// The share of the last moments in which a kernel ran, 0…1; `nil` where the driver does not tell.
    static func current(index: Int) -> Double? {
        guard let library, index >= 0 else { return nil }
        var handle: OpaquePointer?
        var rates: [UInt32] = [0, 0]
        guard library.getHandle(UInt32(index), &handle) == 0, library.getRates(handle, &rates) == 0 else { return nil }
        return min(1, Double(rates[0]) / 100)
    }
}
