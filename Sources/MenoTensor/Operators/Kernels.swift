/// Meno's operators (`Sources/CMenoKernels/Operators.h`), each looked up on first use.
///
/// They are registered with libtorch's dispatcher, which selects the function for a tensor's device.
enum Kernels {
    static let frozenProduct = Operator("meno::frozen_product")
    static let unpackRows = Operator("meno::unpack_rows")
    static let quantizeFourBits_ = Operator("meno::quantize_four_bits_")
    static let quantizeEightBits_ = Operator("meno::quantize_eight_bits_")
    static let quantizeBlocks_ = Operator("meno::quantize_blocks_")
    static let gatedProduct = Operator("meno::gated_product")
    static let adaptedProduct = Operator("meno::adapted_product")
    static let adaptedProductBackward = Operator("meno::adapted_product_backward")
    static let dropout = Operator("meno::dropout")
    static let uniform = Operator("meno::uniform")
    static let rmsNorm = Operator("meno::rms_norm")
    static let rmsNormBackward = Operator("meno::rms_norm_backward")
    static let rotate = Operator("meno::rotate")
    static let gate = Operator("meno::gate")
    static let gateBackward = Operator("meno::gate_backward")
    static let attention = Operator("meno::attention")
    static let attentionBackward = Operator("meno::attention_backward")
    static let cachedAttention = Operator("meno::cached_attention")
    static let vocabularyLoss = Operator("meno::vocabulary_loss")
    static let vocabularyCentroids = Operator("meno::vocabulary_centroids")
    static let crossEntropy_ = Operator("meno::cross_entropy_")
    static let requireKernels = Operator("meno::require_kernels")
    static let supportsProducts = Operator("meno::supports_products")
    static let usesProducts = Operator("meno::uses_products")
    static let useProducts = Operator("meno::use_products")

    private static let takes = Operator("meno::takes")
    private static let processorHas = Operator("meno::processor_has")

    /// Computations that use Meno's kernel for some inputs and libtorch's operators for others.
    enum Choice: String {
        case fusedLayers = "fused_layers"
        case frozenProduct = "frozen_product"
        case adaptedProduct = "adapted_product"
        case gatedProduct = "gated_product"
        case attention
        case vocabularyLoss = "vocabulary_loss"
        case exactVocabularyLoss = "vocabulary_loss_exact"
    }

    /// Features that only some processors have.
    enum Feature: String {
        case products
        case tileProducts = "tile_products"
        case widenedWeights = "widened_weights"
    }

    /// Whether there is a kernel for these inputs, once they are contiguous. This is the only place where that is decided.
    static func take(_ choice: Choice, _ inputs: Tensor...) -> Bool {
        answer {
            try takes.ask(.string(choice.rawValue), .tensors(inputs), .string(FrozenMatrix.Format.dense.rawValue))
        }
    }

    /// Whether there is a kernel for these activations and this weight.
    static func take(_ choice: Choice, _ input: Tensor, _ weight: FrozenMatrix) -> Bool {
        answer {
            try takes.ask(
                .string(choice.rawValue), .tensors([input] + weight.parts), .string(weight.format.rawValue))
        }
    }

    static func processorHas(_ feature: Feature) -> Bool {
        answer { try processorHas.ask(.string(feature.rawValue)) }
    }

    static func answer(_ question: () throws -> Bool) -> Bool {
        do {
            return try question()
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

extension OperatorArgument {
    /// A 64-bit pattern as an integer argument.
    static func bits(_ bits: UInt64) -> OperatorArgument { .int(Int(truncatingIfNeeded: bits)) }
}
