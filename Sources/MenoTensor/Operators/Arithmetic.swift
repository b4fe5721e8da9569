/// Element-wise arithmetic. Operands broadcast as in NumPy; results follow libtorch's type promotion.
extension Tensor {
    package static func + (lhs: Tensor, rhs: Tensor) throws -> Tensor { try ATen.add.one(.tensor(lhs), .tensor(rhs)) }
    package static func - (lhs: Tensor, rhs: Tensor) throws -> Tensor { try ATen.sub.one(.tensor(lhs), .tensor(rhs)) }
    package static func * (lhs: Tensor, rhs: Tensor) throws -> Tensor { try ATen.mul.one(.tensor(lhs), .tensor(rhs)) }
    package static func / (lhs: Tensor, rhs: Tensor) throws -> Tensor { try ATen.div.one(.tensor(lhs), .tensor(rhs)) }
    package static func + (lhs: Tensor, rhs: Double) throws -> Tensor {
        try ATen.addScalar.one(.tensor(lhs), .double(rhs))
    }
    package static func * (lhs: Tensor, rhs: Double) throws -> Tensor {
        try ATen.mulScalar.one(.tensor(lhs), .double(rhs))
    }
    package static func / (lhs: Tensor, rhs: Double) throws -> Tensor {
        try ATen.divScalar.one(.tensor(lhs), .double(rhs))
    }
    package static prefix func - (operand: Tensor) throws -> Tensor { try ATen.neg.one(.tensor(operand)) }

    package func squared() throws -> Tensor { try ATen.powScalar.one(.tensor(self), .int(2)) }
    package func squareRoot() throws -> Tensor { try ATen.sqrt.one(.tensor(self)) }
    /// 1 / √x.
    package func rsqrt() throws -> Tensor { try ATen.rsqrt.one(.tensor(self)) }
    package func exp() throws -> Tensor { try ATen.exp.one(.tensor(self)) }
    /// The natural logarithm.
    package func logarithm() throws -> Tensor { try ATen.log.one(.tensor(self)) }
    package func tanh() throws -> Tensor { try ATen.tanh.one(.tensor(self)) }
    /// exp(x) − 1.
    package func expm1() throws -> Tensor { try ATen.expm1.one(.tensor(self)) }
    /// ln(1 + exp(x)).
    package func softplus() throws -> Tensor { try ATen.softplus.one(.tensor(self)) }
    /// 1 / (1 + exp(−x)).
    package func sigmoid() throws -> Tensor { try ATen.sigmoid.one(.tensor(self)) }
    /// Each element clamped to two bounds; `nil`: no bound.
    package func clamped(_ least: Double?, _ most: Double?) throws -> Tensor {
        try ATen.clamp.one(
            .tensor(self), least.map(OperatorArgument.double) ?? .none, most.map(OperatorArgument.double) ?? .none)
    }
    /// The larger of each pair of elements.
    package func maximum(_ other: Tensor) throws -> Tensor { try ATen.maximum.one(.tensor(self), .tensor(other)) }
    package func sin() throws -> Tensor { try ATen.sin.one(.tensor(self)) }
    package func cos() throws -> Tensor { try ATen.cos.one(.tensor(self)) }
    package func abs() throws -> Tensor { try ATen.abs.one(.tensor(self)) }
    /// −1, 0 or 1.
    package func sign() throws -> Tensor { try ATen.sign.one(.tensor(self)) }

    /// x · sigmoid(x).
    package func silu() throws -> Tensor { try ATen.silu.one(.tensor(self)) }
    /// The Gaussian error linear unit with the tanh approximation.
    package func geluTanh() throws -> Tensor { try ATen.gelu.one(.tensor(self), .string("tanh")) }
    /// The Gaussian error linear unit, exact.
    package func gelu() throws -> Tensor { try ATen.gelu.one(.tensor(self), .string("none")) }
    /// max(x, 0).
    package func relu() throws -> Tensor { try ATen.relu.one(.tensor(self)) }

    // MARK: In place

    /// Copies the elements of a tensor with a broadcastable shape and converts their type.
    @discardableResult package func copy_(_ source: Tensor) throws -> Tensor {
        try ATen.copy_.one(.tensor(self), .tensor(source))
    }
    /// self += scale · other.
    @discardableResult package func add_(_ other: Tensor, scale: Double = 1) throws -> Tensor {
        try ATen.add_.one(.tensor(self), .tensor(other), .double(scale))
    }
    @discardableResult package func mul_(_ factor: Double) throws -> Tensor {
        try ATen.mulScalar_.one(.tensor(self), .double(factor))
    }
    /// `self[…index[i…]…] += value` along a dimension.
    @discardableResult package func scatterAdd_(along dimension: Int, at index: Tensor, value: Double) throws -> Tensor
    {
        let values = try Tensor.full(index.shape, value, dtype: dtype, device: device)
        return try ATen.scatterAdd_.one(.tensor(self), .int(dimension), .tensor(index), .tensor(values))
    }
}

/// Comparisons and logic; results are `bool` tensors.
extension Tensor {
    package func isLess(than other: Tensor) throws -> Tensor { try ATen.lt.one(.tensor(self), .tensor(other)) }
    package func isLessOrEqual(_ other: Tensor) throws -> Tensor { try ATen.le.one(.tensor(self), .tensor(other)) }
    package func isLess(than value: Double) throws -> Tensor { try ATen.ltScalar.one(.tensor(self), .double(value)) }
    package func isEqual(to other: Tensor) throws -> Tensor { try ATen.eq.one(.tensor(self), .tensor(other)) }
    package func and(_ other: Tensor) throws -> Tensor { try ATen.logicalAnd.one(.tensor(self), .tensor(other)) }
    package func logicalNot() throws -> Tensor { try ATen.logicalNot.one(.tensor(self)) }
    /// Elements where `mask` is true replaced by `value`.
    package func masked(by mask: Tensor, with value: Double) throws -> Tensor {
        try ATen.maskedFill.one(.tensor(self), .tensor(mask), .double(value))
    }
}

/// Reductions.
extension Tensor {
    package func sum(dtype: DType? = nil) throws -> Tensor {
        try ATen.sum.one(.tensor(self), dtype.map(OperatorArgument.dtype) ?? .none)
    }
    package func sum(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
        try ATen.sumDimensions.one(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }
    package func mean(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
        try ATen.mean.one(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }
    package func max() throws -> Tensor { try ATen.max.one(.tensor(self)) }
    package func argmax(along dimension: Int) throws -> Tensor { try ATen.argmax.one(.tensor(self), .int(dimension)) }
    /// exp(x) / Σ exp(x) along a dimension.
    package func softmax(along dimension: Int, dtype: DType? = nil) throws -> Tensor {
        try ATen.softmax.one(.tensor(self), .int(dimension), dtype.map(OperatorArgument.dtype) ?? .none)
    }
    /// log Σ exp(x) along a dimension, which is removed.
    package func logSumExp(along dimension: Int) throws -> Tensor {
        try ATen.logsumexp.one(.tensor(self), .ints([dimension]))
    }
    package func cumulativeSum(along dimension: Int) throws -> Tensor {
        try ATen.cumsum.one(.tensor(self), .int(dimension))
    }
    /// √Σx² over all elements.
    package func norm() throws -> Tensor { try ATen.vectorNorm.one(.tensor(self), .double(2)) }
    /// The `count` largest elements along the last dimension with their indices, largest first.
    package func topK(_ count: Int) throws -> (values: Tensor, indices: Tensor) {
        let results = try ATen.topk(.tensor(self), .int(count), .int(-1), .bool(true), .bool(true))
        return (results[0]!, results[1]!)
    }
    /// The elements along the last dimension from largest to smallest (equal ones in their order), with their indices.
    package func sortedDescending() throws -> (values: Tensor, indices: Tensor) {
        let results = try ATen.sortStable(.tensor(self), .bool(true), .int(-1), .bool(true))
        return (results[0]!, results[1]!)
    }
}
