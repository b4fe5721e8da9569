public import ArgumentParser
import Meno
import MenoModels
public import MenoTraining

/// Options of how a model's weights are held in memory.
struct WeightOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Whether quantized weights of a file stay packed in memory: auto, dense or packed. auto packs them if dense weights "
                + "would take too much of the free memory."))
    var weights = WeightChoice.auto
    @Flag(
        name: .customLong("load-in-4bit"),
        help: "Quantize linear layers to NF4 with double quantization while loading the model.")
    var loadsInFourBits = false
    @Flag(
        name: .customLong("load-in-8bit"), help: "Quantize linear layers to eight bits while loading the model.")
    var loadsInEightBits = false

    func validate() throws {
        guard !loadsInFourBits || !loadsInEightBits else {
            throw ValidationError("--load-in-4bit and --load-in-8bit contradict each other.")
        }
        guard quantization == nil || weights == .auto else {
            throw ValidationError(
                "--weights says how a file's own quantized weights are kept; --load-in-4bit and --load-in-8bit quantize "
                    + "weights that are not.")
        }
    }

    var quantization: WeightQuantization? {
        if loadsInFourBits { return WeightQuantization(.fourBits(.nf4, nested: true)) }
        return loadsInEightBits ? WeightQuantization(.eightBits) : nil
    }
}

extension WeightChoice: ExpressibleByArgument {}
