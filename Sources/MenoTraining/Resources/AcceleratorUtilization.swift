#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// How busy NVIDIA GPUs are, as the driver's management library tells; it comes with the driver and is loaded where it is.
/// Source: NVML's reference, `nvmlDeviceGetUtilizationRates`. It counts other GPUs than CUDA, which sees those of
/// `CUDA_VISIBLE_DEVICES` in an order of its own; both know where on the bus one is.
enum AcceleratorUtilization {
    private typealias Initialize = @convention(c) () -> Int32
    private typealias GetHandle = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    /// CUDA's: the address, the bytes that there are for it, the index.
    private typealias GetAddress = @convention(c) (UnsafeMutablePointer<CChar>, Int32, Int32) -> Int32
    /// The second argument points to two numbers in percent: of the processors, of the memory.
    private typealias GetRates = @convention(c) (OpaquePointer?, UnsafeMutablePointer<UInt32>) -> Int32

    private struct Library: Sendable {
        let getAddress: GetAddress
        let getHandle: GetHandle
        let getRates: GetRates
    }

    private static let library: Library? = {
        guard let library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL),
            let initialize = dlsym(library, "nvmlInit_v2"),
            // libtorch has loaded CUDA's runtime.
            let getAddress = dlsym(dlopen(nil, RTLD_NOW), "cudaDeviceGetPCIBusId"),
            let getHandle = dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2"),
            let getRates = dlsym(library, "nvmlDeviceGetUtilizationRates"),
            unsafeBitCast(initialize, to: Initialize.self)() == 0
        else { return nil }
        return Library(
            getAddress: unsafeBitCast(getAddress, to: GetAddress.self),
            getHandle: unsafeBitCast(getHandle, to: GetHandle.self),
            getRates: unsafeBitCast(getRates, to: GetRates.self))
    }()

    /// The share of the last moments in which a kernel ran, 0…1; `nil` where the driver does not tell.
    /// - Parameter index: CUDA's.
    static func current(index: Int) -> Double? {
        guard let library, index >= 0 else { return nil }
        var address = [CChar](repeating: 0, count: 32)
        var handle: OpaquePointer?
        var rates: [UInt32] = [0, 0]
        guard library.getAddress(&address, Int32(address.count), Int32(index)) == 0,
            library.getHandle(address, &handle) == 0, library.getRates(handle, &rates) == 0
        else { return nil }
        return min(1, Double(rates[0]) / 100)
    }
}
