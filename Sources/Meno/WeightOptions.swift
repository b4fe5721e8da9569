public import MenoConfiguration
internal import MenoModels
public import MenoTensor
public import MenoTraining

/// How a model's weights are held in memory while it generates or is evaluated.
///
/// ```swift
/// var weights = WeightOptions()
/// weights.quantization = .fourBits()
/// let model = try await LanguageModel.load("Qwen/Qwen3-4B", weights: weights)
/// ```
///
/// Quantised and packed weights are supported on the CPU only.
public struct WeightOptions: Sendable, Hashable {
    /// How linear layers are quantised while a model is loaded, a few rows at a time, as bitsandbytes does it.
    public enum Quantization: Sendable, Hashable {
        /// `load_in_4bit`: 4 bits, in blocks of 64 values. `doubleQuantization`: whether the
        /// blocks' scales are quantised to 8 bits.
        case fourBits(FourBitType = .nf4, doubleQuantization: Bool = true)
        /// `load_in_8bit`: 8 bits, with one scale per row. Activations are not quantised.
        case eightBits
    }

    /// Whether quantised weights from a file, such as the blocks of a GGUF file, stay packed in
    /// memory. Default `auto`: they stay packed if dense weights would take more than a third of
    /// the free memory.
    public var form = WeightChoice.auto
    /// How to quantise linear layers while loading; `nil`: not at all. Default `nil`. A model that
    /// is already quantised is rejected unless it is quantised in this very way.
    public var quantization: Quantization?
    /// Modules that are not quantised, by full name or name suffix. Default none.
    public var skippedModules: [String] = []

    /// The defaults.
    public init() {}

    /// The options of a training run. An adapter that was trained on quantised weights answers best
    /// with the same weights.
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

    var weightQuantization: WeightQuantization? {
        switch quantization {
        case nil: nil
        case .fourBits(let type, let doubleQuantization):
            WeightQuantization(.fourBits(type, nested: doubleQuantization), skippedModules: skippedModules)
        case .eightBits: WeightQuantization(.eightBits, skippedModules: skippedModules)
        }
    }
}
