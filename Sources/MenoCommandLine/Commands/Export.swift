import ArgumentParser
import Foundation
import Meno
import MenoExport
import MenoFormats

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a trained model as other programs read it, and compares it with what was trained.",
        discussion: """
            safetensors  a Hugging Face folder, the adapter merged
            gguf         one file for llama.cpp and what is built on it, the adapter merged
            gguf-lora    the adapter alone, for llama.cpp's --lora
            ollama       a folder with a GGUF file and a Modelfile

            --weights, --load-in-4bit and --load-in-8bit say how the models that are compared are held in memory: a model that \
            was trained on quantised weights is compared as such.

            Merging is done in float32 and rounded once. From a GGUF model, without --quantize, tensors that the adapter does \
            not change stay as they are, bit for bit, and the others become --changed-type.
            """)

    @Option(
        help: "A Hugging Face folder, a .gguf file, a Hugging Face id, or a name that `meno models list` shows.",
        completion: .file())
    var model: String
    @Option(help: "The folder of an adapter in PEFT's form, RUN/model, or its Hugging Face id.", completion: .directory)
    var adapter: String?
    @Option(help: "The result: a folder, or a file that ends in .gguf. Nothing may be there yet.", completion: .file())
    var to: String
    @Option(help: "safetensors, gguf, gguf-lora or ollama.") var format = ExportFormat.safetensors
    @Option(help: "The type of a GGUF file: F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M or Q4_0.") var quantize:
        GGUFFileType?
    @Option(help: "The type of what the adapter changes, where the rest stays as a GGUF model has it.")
    var changedType = GGUFFileType.F16
    @Option(help: "The type of safetensors: auto (the model's own), float32, bfloat16 or float16.") var dtype:
        ExportType = .auto
    @Option(help: "The chat template to leave with; without it, the one trained with.") var chatTemplate: String?
    @Option(
        help: "Records to compare on; without it, those held out from training.",
        completion: .file(extensions: ["json", "jsonl"])) var data: String?
    @Option(help: "With ollama: a text that opens every conversation.") var system: String?
    @Flag(help: "Make the folder what `hf upload` wants. Nothing is uploaded.") var pushReady = false
    @OptionGroup var held: WeightOptions
    @Flag(inversion: .prefixedNo, help: "Compare the export with the trained model.") var verify = true

    enum ExportType: String, CaseIterable, ExpressibleByArgument {
        case auto, float32, bfloat16, float16

        var elementType: WeightElementType? {
            switch self {
            case .auto: nil
            case .float32: .float32
            case .bfloat16: .bfloat16
            case .float16: .float16
            }
        }
    }

    func validate() throws {
        if quantize != nil, !format.isGGUFModel {
            throw ValidationError("--quantize goes with --format gguf or ollama; safetensors have --dtype.")
        }
        if dtype != .auto, format != .safetensors {
            throw ValidationError("--dtype goes with --format safetensors; GGUF files have --quantize.")
        }
        if system != nil, format != .ollama { throw ValidationError("--system goes with --format ollama.") }
        if format == .ggufLoRA, adapter == nil { throw ValidationError("--format gguf-lora needs --adapter.") }
        if to.hasSuffix(".gguf"), !format.isGGUFModel || format == .ollama, format != .ggufLoRA {
            throw ValidationError("--to \(to): \(format.rawValue) is a folder, not a .gguf file.")
        }
        if to.hasSuffix(".gguf"), pushReady {
            throw ValidationError("--push-ready makes a folder: give --to a name without .gguf.")
        }
    }

    func run() throws {
        try reportingErrors {
            var exporter = ModelExporter(
                model: model, adapter: adapter, form: ExportForm(format, quantize), target: URL(filePath: to),
                log: ConsoleLog())
            exporter.changedType = changedType
            exporter.elementType = dtype.elementType
            exporter.chatTemplate = chatTemplate
            exporter.data = data
            exporter.system = system
            exporter.isForHub = pushReady
            exporter.isVerified = verify
            exporter.weights = held.weights
            exporter.quantization = held.quantization
            try exporter.run()
            print(to)
        }
    }
}

extension ExportFormat: ExpressibleByArgument {}
extension GGUFFileType: ExpressibleByArgument {
    package init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}
