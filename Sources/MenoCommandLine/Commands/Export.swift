import ArgumentParser
import Foundation
import Meno
import MenoExport
import MenoFormats

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Exports a trained model for other programs, and compares the export with the model.",
        discussion: """
            safetensors  a Hugging Face folder with the adapter merged
            gguf         one file for llama.cpp and programs based on it, with the adapter merged
            gguf-lora    only the adapter, for llama.cpp's --lora
            ollama       a folder with a GGUF file and a Modelfile

            --weights, --load-in-4bit and --load-in-8bit say how the compared models are kept in memory: a model that \
            was trained on quantised weights is compared as such.

            The adapter is merged in float32 and rounded once. From a GGUF model, without --quantize, tensors that the adapter does \
            not change stay as they are, bit for bit, and the others become --changed-type.
            """)

    @Option(
        help: "A Hugging Face folder, a .gguf file, a Hugging Face id, or a name from `meno models list`.",
        completion: .file())
    var model: String
    @Option(help: "The folder (RUN/model) or Hugging Face id of an adapter in PEFT's format.", completion: .directory)
    var adapter: String?
    @Option(help: "Where to write: a folder, or a file that ends in .gguf. It must not exist yet.", completion: .file())
    var to: String
    @Option(help: "safetensors, gguf, gguf-lora or ollama.") var format = ExportFormat.safetensors
    @Option(help: "The type of a GGUF file: F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M or Q4_0.") var quantize:
        GGUFFileType?
    @Option(help: "Without --quantize, from a GGUF model: the type of the tensors that the adapter changes.")
    var changedType = GGUFFileType.F16
    @Option(help: "The type of safetensors: auto (the model's own), float32, bfloat16 or float16.") var dtype:
        ExportType = .auto
    @Option(help: "The chat template to export; by default the one used in training.") var chatTemplate: String?
    @Option(
        help: "Records for the comparison; by default those held out from training.",
        completion: .file(extensions: ["json", "jsonl"])) var data: String?
    @Option(help: "With ollama: the system message of every conversation.") var system: String?
    @Flag(help: "Prepare the folder for `hf upload`. Nothing is uploaded.") var pushReady = false
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
