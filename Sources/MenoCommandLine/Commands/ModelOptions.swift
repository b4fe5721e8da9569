public import ArgumentParser
import Meno
public import MenoConfiguration
public import MenoData

/// Options of every command that loads a model.
struct ModelOptions: ParsableArguments {
    @Option(
        help: "A Hugging Face folder, a .gguf file, a Hugging Face id, or a name from `meno models list`.",
        completion: .file())
    var model: String
    @Option(help: "The folder or Hugging Face id of an adapter in PEFT's format.", completion: .directory)
    var adapter: String?
    @Option(help: "auto, float32, bfloat16 or float16.") var dtype = RunConfiguration.Precision.auto
    @Option(help: "auto, cpu, cuda or mps.") var device = RunConfiguration.DeviceChoice.auto
    @Option(help: "auto, gemma, llama3, chatml, tokenizer (the model's own), or the path of a .jinja file.")
    var chatTemplate = "auto"
    @OptionGroup var held: WeightOptions

    /// - Parameter generates: whether the model is used for generation only.
    func load(generates: Bool = false) throws -> LoadedModel {
        try LoadedModel(
            model, dtype: dtype.dtype(), device: device.device(), adapter: adapter, weights: held.weights,
            quantization: held.quantization, generates: generates, log: ConsoleLog())
    }
}

extension RunConfiguration.Precision: ExpressibleByArgument {}
extension RunConfiguration.DeviceChoice: ExpressibleByArgument {}
extension LossTarget: ExpressibleByArgument {}
