public import MenoConfiguration
internal import MenoModels
public import MenoTensor
public import MenoTraining

/// How a model's weights are held while it answers and is evaluated.
///
/// ```swift
/// var weights = WeightOptions()
/// weights.quantization = .fourBits()
/// let model = try await LanguageModel.load("Qwen/Qwen3-4B", weights: weights)
/// ```
///
/// Quantised and packed weights are on the CPU only.
public struct WeightOptions: Sendable, Hashable {
    /// How linear layers are quantised while a model is loaded, a few rows at a time, as bitsandbytes does it.
    public enum Quantization: Sendable, Hashable {
        /// `load_in_4bit`: four bits, in blocks of 64 values. `doubleQuantization`: whether their scales have eight bits.
        case fourBits(FourBitType = .nf4, doubleQuantization: Bool = true)
        /// `load_in_8bit`: eight bits, with a scale for each row. Activations are not quantised.
        case eightBits
    }

    /// Whether quantised weights of a file, such as the blocks of a GGUF file, stay packed in memory. Default `auto`: where dense
    /// ones would take more than a third of the free memory.
    public var form = WeightChoice.auto
    /// How linear layers are quantised; `nil`: not at all. Default `nil`. A model that is quantised already is refused, unless it is
    /// quantised in this way.
    public var quantization: Quantization?
    /// Modules that are not quantised, by their names or the ends of these. Default none.
    public var skippedModules: [String] = []

    /// The defaults.
    public init() {}

    /// Those of a run: an adapter that was trained on quantised weights answers best beside the same ones.
    public init(of run: RunConfiguration) {
        form = run.model.weights
        skippedModules = run.model.skippedModules
        if run.model.loadsInFourBits {
            quantization = .fourBits(
                run.model.fourBitType, doubleQuantization: run.model.usesDoubleQuantization)
        } else if run.model.loadsInEightBits {
            quantization = .eightBits
        }
    }

    /// As loading takes it.
    var weightQuantization: WeightQuantization? {
        switch quantization {
        case nil: nil
        case .fourBits(let type, let doubleQuantization):
            WeightQuantization(.fourBits(type, nested: doubleQuantization), skippedModules: skippedModules)
        case .eightBits: WeightQuantization(.eightBits, skippedModules: skippedModules)
        }
    }
}
