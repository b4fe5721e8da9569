internal import MenoTensor

/// A linear layer x · Wᵀ + b, with a low-rank adapter where one is attached.
package final class Linear {
    /// `[outFeatures, inFeatures]`: a ``FrozenMatrix`` unless it is trained.
    package let weight: Parameter
    /// `[outFeatures]`.
    package let bias: Parameter?
    /// The low-rank adapter that is trained instead of the weight.
    package internal(set) var adapter: LoRAAdapter?

    init(weight: Parameter, bias: Parameter? = nil) {
        self.weight = weight
        self.bias = bias
    }

    package var inFeatures: Int { weight.shape[1] }
    package var outFeatures: Int { weight.shape[0] }

    /// - Parameters:
    ///   - input: `[tokens, inFeatures]`.
    ///   - context: the state of this pass.
    /// - Returns: `[tokens, outFeatures]`, in the input's type.
    func callAsFunction(_ input: Tensor, context: AttentionContext) throws -> Tensor {
        let dropout = try adapter?.dropout(in: context)
        if let output = try adapter?.output(of: self, input: input, dropout: dropout) {
            return try bias.map { try output + $0.value(output.dtype) } ?? output
        }
        let output = try base(input, bias: bias)
        guard let adapter else { return output }
        return try adapter.change(output, of: self, input: input, dropout: dropout)
    }

    /// The layer without its adapter.
    func base(_ input: Tensor, bias: Parameter? = nil) throws -> Tensor {
        if let matrix = weight.matrix { return try input.frozenLinear(matrix, bias: bias?.tensor) }
        return try input.linear(weight.value(input.dtype), bias: bias?.value(input.dtype))
    }

    /// Its weight, where it is a frozen matrix without bias or adapter.
    var frozenMatrix: FrozenMatrix? { bias == nil && adapter == nil ? weight.matrix : nil }

    /// An output of this layer with its bias subtracted again.
    func withoutBias(_ output: Tensor) throws -> Tensor {
        try bias.map { try output - $0.value(output.dtype) } ?? output
    }

    var parameters: [Parameter] {
        [weight] + (bias.map { [$0] } ?? []) + (adapter?.parameters ?? [])
    }
}
