public import ArgumentParser
import Meno
import MenoModels
public import MenoTraining

/// Options of how a model's weights are held in memory.
struct WeightOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Whether a file's quantised weights stay packed in memory: auto, dense or packed; auto is packed where dense ones "
                + "would not fit comfortably."))
    var weights = WeightChoice.auto
    @Flag(
        name: .customLong("load-in-4bit"),
        help: "Quantise linear layers to NF4 with double quantisation while the model is loaded.")
    var loadsInFourBits = false
    @Flag(
        name: .customLong("load-in-8bit"), help: "Quantise linear layers to eight bits while the model is loaded.")
    var loadsInEightBits = false

    func validate() throws {
        guard !loadsInFourBits || !loadsInEightBits else {
            throw ValidationError("--load-in-4bit and --load-in-8bit contradict each other.")
        }
        guard quantization == nil || weights == .auto else {
            throw ValidationError(
                "--weights applies to weights that are quantised in the file; --load-in-4bit and --load-in-8bit quantise "
                    + "weights that are not.")
        }
    }

    var quantization: WeightQuantization? {
        if loadsInFourBits { return WeightQuantization(.fourBits(.nf4, nested: true)) }
        return loadsInEightBits ? WeightQuantization(.eightBits) : nil
    }
}

extension WeightChoice: ExpressibleByArgument {}
