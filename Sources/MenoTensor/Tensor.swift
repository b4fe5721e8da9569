internal import CTorch

/// A multi-dimensional libtorch array with automatic differentiation.
///
/// A tensor owns one handle and releases it when it is deinitialised. It is not `Sendable`: it stays in the isolation that
/// created it, and only plain values leave a training loop.
package final class Tensor {
    let handle: OpaquePointer

    /// Takes ownership of a handle.
    init(owning handle: OpaquePointer) { self.handle = handle }

    deinit { ct_tensor_release(handle) }

    /// The number of live tensors in the process, for leak tests.
    package static var liveCount: Int { Int(ct_tensor_live_count()) }

    // MARK: Description

    /// The size of each dimension, outermost first.
    package var shape: [Int] {
        (0..<ct_tensor_dimensions(handle)).map { Int(ct_tensor_size(handle, $0)) }
    }

    /// The number of dimensions.
    package var rank: Int { Int(ct_tensor_dimensions(handle)) }

    /// The number of elements.
    package var count: Int { Int(ct_tensor_count(handle)) }

    /// The size of one dimension; negative ones count from the end.
    package func size(_ dimension: Int) -> Int {
        let rank = self.rank
        let index = dimension < 0 ? dimension + rank : dimension
        precondition(index >= 0 && index < rank, "dimension \(dimension) of a tensor of rank \(rank)")
        return Int(ct_tensor_size(handle, Int64(index)))
    }

    package var dtype: DType {
        guard let dtype = DType(rawValue: ct_tensor_dtype(handle)) else {
            preconditionFailure("a tensor with an element type that Meno does not use")
        }
        return dtype
    }

    package var device: Device { Device(raw: ct_tensor_device(handle)) }

    // MARK: Creating tensors

    /// Copies elements, row-major.
    /// - Precondition: `elements.count` is the product of `shape`.
    package convenience init<Element: TensorElement>(
        _ elements: [Element], shape: [Int], device: Device = .cpu
    ) throws {
        self.init(
            owning: try elements.withUnsafeBytes {
                try Self.copy($0, shape: shape, dtype: Element.dtype, device: device)
            })
    }

    /// A vector.
    package convenience init<Element: TensorElement>(_ elements: [Element], device: Device = .cpu) throws {
        try self.init(elements, shape: [elements.count], device: device)
    }

    /// A tensor of uninitialised elements.
    package convenience init(uninitialized shape: [Int], dtype: DType, device: Device = .cpu) throws {
        var result: OpaquePointer?
        let sizes = shape.map(Int64.init)
        try check(ct_tensor_empty(sizes, Int64(sizes.count), dtype.rawValue, device.raw, &result), "empty")
        self.init(owning: result!)
    }

    private static func copy(
        _ bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, device: Device
    ) throws -> OpaquePointer {
        var result: OpaquePointer?
        let sizes = shape.map(Int64.init)
        try check(
            ct_tensor_from_bytes(
                bytes.baseAddress, Int64(bytes.count), sizes, Int64(sizes.count), dtype.rawValue, device.raw, &result),
            "tensor from bytes")
        return result!
    }

    // MARK: Reading tensors

    /// Copies the elements in row-major order. On an accelerator, this waits for the result.
    /// - Throws: ``TorchError`` if the tensor's element type is not that of `Element`.
    package func array<Element: TensorElement>(of: Element.Type = Element.self) throws -> [Element] {
        guard dtype == Element.dtype else {
            throw TorchError(.invalid, at: "array", "the elements are \(dtype), not \(Element.dtype)")
        }
        let count = self.count
        return try Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            try copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// Copies the elements' bytes in row-major order.
    /// - Precondition: `destination` has exactly `count × dtype.size` bytes.
    package func copyBytes(to destination: UnsafeMutableRawBufferPointer) throws {
        try check(
            ct_tensor_to_bytes(handle, destination.baseAddress, Int64(destination.count)), "bytes of a tensor")
    }

    /// Calls `body` with the memory of a contiguous tensor on the CPU.
    package func withMutableBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) throws -> Result {
        var address: UnsafeMutableRawPointer?
        try check(ct_tensor_data(handle, &address), "memory of a tensor")
        return try withExtendedLifetime(self) {
            try body(UnsafeMutableRawBufferPointer(start: address, count: count * dtype.size))
        }
    }

    /// The element of a one-element tensor. On an accelerator, this waits for the result.
    package func item() throws -> Double {
        var value = 0.0
        try check(ct_tensor_item(handle, &value), "item")
        return value
    }
}
