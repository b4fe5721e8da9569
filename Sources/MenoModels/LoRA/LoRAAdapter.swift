internal import MenoTensor

/// A low-rank change of a frozen linear layer: ΔW = scaling · B · A (Hu et al., 2021, arXiv:2106.09685).
///
/// A and B are float32, whatever the layer computes in.
public final class LoRAAdapter {
    /// A, `[rank, inFeatures]`.
    public let down: Parameter
    /// B, `[outFeatures, rank]`.
    public let up: Parameter
    /// α / r, or α / √r where ranks are stabilised.
    public let scaling: Double
    /// The probability with which each element of the input is dropped while training.
    public let dropout: Double
    var isTraining = true

    init(down: Parameter, up: Parameter, scaling: Double, dropout: Double) {
        self.down = down
        self.up = up
        self.scaling = scaling
        self.dropout = dropout
    }

    /// A adapter that changes nothing yet: A is Kaiming-uniform with a = √5, that is uniform on ±1/√inFeatures, and B
    /// is zero, as PEFT initialises them.
    static func initialized(
        layer: String, inFeatures: Int, outFeatures: Int, rank: Int, scaling: Double, dropout: Double, device: Device
    ) throws -> LoRAAdapter {
        let bound = 1 / Double(inFeatures).squareRoot()
        // Drawn on the CPU, so that a seed means the same on every device.
        let down = try Tensor(uninitialized: [rank, inFeatures], dtype: .float32).uniform_(-bound, bound).to(device)
        let up = try Tensor.zeros([outFeatures, rank], device: device)
        return LoRAAdapter(
            down: Parameter("\(layer).lora_A.weight", try down.requiringGradient()),
            up: Parameter("\(layer).lora_B.weight", try up.requiringGradient()), scaling: scaling, dropout: dropout)
    }

    /// What is added to the layer's output. `[..., inFeatures]` to `[..., outFeatures]`.
    func callAsFunction(_ input: Tensor) throws -> Tensor {
        let dropped = isTraining && isGradientEnabled ? try input.dropout(dropout) : input
        // The rank is small: scaling between the two products costs next to nothing.
        return try (dropped.linear(down.value(input.dtype)) * scaling).linear(up.value(input.dtype))
    }

    var parameters: [Parameter] { [down, up] }
}
