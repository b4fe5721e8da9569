internal import MenoTensor

/// An adapter of all experts at once, in PEFT's shapes for a stack `[experts, out, in]` (`target_parameters`): A is `[experts ·
/// rank, in]`, expert after expert; B is `[out, rank · experts]`, with the experts interleaved.
extension LoRAAdapter {
    /// The adapter of one expert.
    struct Part {
        /// A, `[rank, in]`, and B, `[out, rank]`.
        fileprivate var down, up: Tensor
        fileprivate var scaling: Double

        /// The change of the expert's output for an input `[tokens, in]`.
        func change(of input: Tensor) throws -> Tensor {
            try (input.linear(down.to(input.dtype)) * scaling).linear(up.to(input.dtype))
        }
    }

    /// The parts of some experts.
    func parts(_ experts: [Int], of count: Int) throws -> [Part] {
        let rank = down.shape[0] / count
        let all = try up.tensor.reshaped([up.shape[0], rank, count])
        guard isGradientEnabled else {
            return try experts.map { expert in
                Part(
                    down: try down.tensor.narrowed(0, start: expert * rank, count: rank),
                    up: try all.selected(expert, along: 2), scaling: scaling)
            }
        }
        // Split in one operation, so that the gradient is assembled in one operation too.
        let ones = Array(repeating: 1, count: count)
        let downs = try down.tensor.split(sizes: ones.map { $0 * rank }, along: 0)
        let ups = try all.transposed(0, 2).transposed(1, 2).contiguous().split(sizes: ones, along: 0)
        return try experts.map { Part(down: downs[$0], up: try ups[$0].squeezed(0), scaling: scaling) }
    }

    /// A new adapter, which does not change the output yet, as ``initialized(layer:linear:settings:device:)``.
    /// - Parameters:
    ///   - parameter: transformers' name of the stack, which rank and alpha patterns match.
    ///   - module: PEFT's name of the module that holds the adapter.
    ///   - shape: `[experts, out, in]`.
    static func initialized(
        parameter: String, module: String, shape: [Int], settings: LoRASettings, device: Device
    ) throws -> LoRAAdapter {
        let (experts, outFeatures, inFeatures) = (shape[0], shape[1], shape[2])
        let rank = try settings.rank(of: parameter)
        let bound = 1 / Double(inFeatures).squareRoot()
        let down = try Tensor(uninitialized: [experts * rank, inFeatures], dtype: .float32).uniform_(-bound, bound)
            .to(device)
        let up = try Tensor.zeros([outFeatures, experts * rank], device: device)
        return LoRAAdapter(
            down: Parameter("\(module).lora_A.weight", try down.requiringGradient()),
            up: Parameter("\(module).lora_B.weight", try up.requiringGradient()),
            scaling: try settings.scaling(of: parameter), dropout: 0)
    }
}
