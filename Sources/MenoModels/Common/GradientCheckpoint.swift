internal import MenoTensor

/// Computes `body(input)` without keeping its activations, which are recomputed in the backward pass.
///
/// Trades a second forward pass for memory (Chen et al., 2016, arXiv:1604.06174).
/// - Parameters:
///   - parameters: the trained leaves that `body` uses.
///   - body: a function of only `input` and `parameters`, with or without gradients. It must not use a random generator.
func checkpointed(
    _ input: Tensor, parameters: [Tensor], _ body: @escaping (Tensor) throws -> Tensor
) throws -> Tensor {
    guard isGradientEnabled, input.requiresGradient || !parameters.isEmpty else { return try body(input) }
    let output = try withoutGradient { try body(input) }
    return try Tensor.customNode(inputs: [input] + parameters, outputs: [output]) { gradients in
        guard let gradient = gradients[0] else { return Array(repeating: nil, count: parameters.count + 1) }
        return try withGradient(enabled: true) {
            let leaf = try input.detached().requiringGradient(input.requiresGradient)
            let again = try body(leaf)
            let inputs = (input.requiresGradient ? [leaf] : []) + parameters
            let results = try Tensor.gradients(of: [again], outputGradients: [gradient], withRespectTo: inputs)
            return (input.requiresGradient ? [] : [nil]) + results
        }
    }[0]
}
