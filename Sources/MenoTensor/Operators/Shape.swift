/// Shapes, slices and conversions. Views share memory with their source.
extension Tensor {
    package func reshaped(_ shape: [Int]) throws -> Tensor { try ATen.reshape.one(.tensor(self), .ints(shape)) }
    package func transposed(_ first: Int, _ second: Int) throws -> Tensor {
        try ATen.transpose.one(.tensor(self), .int(first), .int(second))
    }
    /// The matrix transpose of a rank-2 tensor, a view.
    package func transposed() throws -> Tensor { try ATen.t.one(.tensor(self)) }
    package func unsqueezed(_ dimension: Int) throws -> Tensor {
        try ATen.unsqueeze.one(.tensor(self), .int(dimension))
    }
    package func squeezed(_ dimension: Int) throws -> Tensor { try ATen.squeeze.one(.tensor(self), .int(dimension)) }
    /// A view repeated along dimensions of size 1, without copying; −1 leaves a dimension as it is.
    package func expanded(_ shape: [Int]) throws -> Tensor { try ATen.expand.one(.tensor(self), .ints(shape)) }
    /// A view of `count` indices from `start` along a dimension.
    package func narrowed(_ dimension: Int, start: Int, count: Int) throws -> Tensor {
        try ATen.narrow.one(.tensor(self), .int(dimension), .int(start), .int(count))
    }
    package func split(sizes: [Int], along dimension: Int) throws -> [Tensor] {
        try ATen.splitWithSizes(.tensor(self), .ints(sizes), .int(dimension), results: sizes.count).map { $0! }
    }
    /// A view of one index along a dimension, which is removed.
    package func selected(_ index: Int, along dimension: Int) throws -> Tensor {
        try ATen.select.one(.tensor(self), .int(dimension), .int(index))
    }
    /// The given indices along a dimension, copied.
    package func indexed(by indices: Tensor, along dimension: Int) throws -> Tensor {
        try ATen.indexSelect.one(.tensor(self), .int(dimension), .tensor(indices))
    }
    /// `out[i…] = self[…index[i…]…]` along a dimension.
    package func gathered(along dimension: Int, at index: Tensor) throws -> Tensor {
        try ATen.gather.one(.tensor(self), .int(dimension), .tensor(index))
    }
    package static func concatenated(_ tensors: [Tensor], along dimension: Int) throws -> Tensor {
        try ATen.cat.one(.tensors(tensors), .int(dimension))
    }
    /// The same elements in row-major order; returns the tensor itself if they are already.
    package func contiguous() throws -> Tensor { try ATen.contiguous.one(.tensor(self)) }
    package func cloned() throws -> Tensor { try ATen.clone.one(.tensor(self)) }
    /// The same elements, detached from autograd.
    package func detached() throws -> Tensor { try ATen.detach.one(.tensor(self)) }
    /// Converts the elements; returns the tensor itself if it has this type already. Gradients are converted back.
    package func to(_ dtype: DType) throws -> Tensor {
        self.dtype == dtype ? self : try ATen.toDtype.one(.tensor(self), .dtype(dtype))
    }
    /// A copy on another device; returns the tensor itself if it is there already.
    package func to(_ device: Device) throws -> Tensor {
        guard self.device != device else { return self }
        return try ATen.toCopy.one(.tensor(self), .dtype(dtype), .none, .device(device))
    }
}

/// Tensors of given or random elements.
extension Tensor {
    package static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu) throws
        -> Tensor
    {
        try ATen.full.one(.ints(shape), .double(value), .dtype(dtype), .none, .device(device))
    }
    package static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try ATen.zeros.one(.ints(shape), .dtype(dtype), .none, .device(device))
    }
    package static func ones(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try ATen.ones.one(.ints(shape), .dtype(dtype), .none, .device(device))
    }
    /// 0, 1, …, count − 1.
    package static func range(_ count: Int, dtype: DType = .int64, device: Device = .cpu) throws -> Tensor {
        try ATen.arange.one(.int(count), .dtype(dtype), .none, .device(device))
    }
    /// Uniform on [0, 1), from the device's default generator.
    package static func random(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try ATen.rand.one(.ints(shape), .dtype(dtype), .none, .device(device))
    }
    /// Standard normal, from the device's default generator.
    package static func randomNormal(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) throws -> Tensor {
        try ATen.randn.one(.ints(shape), .dtype(dtype), .none, .device(device))
    }
    /// Fills with uniform numbers on [low, high).
    @discardableResult package func uniform_(_ low: Double, _ high: Double) throws -> Tensor {
        try ATen.uniform_.one(.tensor(self), .double(low), .double(high))
    }
    /// Draws one index for each row with probability proportional to its weight.
    package func multinomial() throws -> Tensor { try ATen.multinomial.one(.tensor(self), .int(1)) }
}
