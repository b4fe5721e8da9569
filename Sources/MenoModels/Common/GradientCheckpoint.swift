internal import MenoTensor

/// Computes `body(input)` without keeping what its backward pass needs; that is computed again when it is due.
///
/// Trades a second forward pass for memory (Chen et al., 2016, arXiv:1604.06174). The random state is put back for
/// the second pass, so that dropout is the same.
/// - Parameters:
///   - parameters: the trained leaves that `body` uses.
///   - body: a function of `input` and `parameters` alone.
func checkpointed(
    _ input: Tensor, parameters: [Tensor], device: Device, _ body: @escaping (Tensor) throws -> Tensor
) throws -> Tensor {
    guard isGradientEnabled, input.requiresGradient || !parameters.isEmpty else { return try body(input) }
    let before = try RandomStates(of: device)
    let output = try CheckpointedPass.$isRunning.withValue(true) { try withoutGradient { try body(input) } }
    return try Tensor.customNode(inputs: [input] + parameters, outputs: [output]) { gradients in
        guard let gradient = gradients[0] else { return Array(repeating: nil, count: parameters.count + 1) }
        let after = try RandomStates(of: device)
        try before.restore()
        defer { try? after.restore() }
        return try withGradient(enabled: true) {
            let leaf = try input.detached().requiringGradient(input.requiresGradient)
            let again = try body(leaf)
            let inputs = (input.requiresGradient ? [leaf] : []) + parameters
            let results = try Tensor.gradients(of: [again], outputGradients: [gradient], withRespectTo: inputs)
            return (input.requiresGradient ? [] : [nil]) + results
        }
    }[0]
}

/// The first run of a checkpointed part, which autograd does not follow though it is one of training.
private enum CheckpointedPass {
    @TaskLocal static var isRunning = false
}

/// Whether the pass that runs is one of training, so that dropout applies.
var isTrainingPass: Bool { isGradientEnabled || CheckpointedPass.isRunning }
