extension Tensor {
    /// Zeroes each element of a matrix with a probability and scales the rest by 1 / (1 − probability).
    /// - Parameter keys: determine which elements, in the same way as for ``adaptedLinear(_:down:up:scaling:dropout:)``.
    package func dropout(_ probability: Double, _ keys: RowKeys) throws -> Tensor {
        guard probability > 0 else { return self }
        guard hasFusedLayers else {
            let mask = try Tensor.ones(shape).dropped(probability, keys.key, keys.hostNumbers)
            return try self * mask.to(dtype).to(device)
        }
        let output = try dropped(probability, keys.key, keys.numbers)
        guard isGradientEnabled, requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            [try gradients[0]?.dropped(probability, keys.key, keys.numbers)]
        }[0]
    }

    private func dropped(_ probability: Double, _ key: UInt64, _ numbers: Tensor) throws -> Tensor {
        try Kernels.dropout.one(.tensor(contiguous()), .double(probability), .bits(key), .tensor(numbers))
    }

    /// Uniform noise on [−1, 1), determined by `keys`: `[rows, columns]`, float32, on the CPU.
    package static func noise(columns: Int, _ keys: RowKeys) throws -> Tensor {
        try Kernels.uniform.one(.tensor(keys.hostNumbers), .bits(keys.key), .int(columns))
    }
}
