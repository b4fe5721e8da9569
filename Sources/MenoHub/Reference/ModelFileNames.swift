internal import Foundation

/// What of a repository is needed.
package enum HubParts: Sendable {
    /// Configuration, weights and tokenizer.
    case model
    /// The tokenizer and the chat template.
    case tokenizer
    /// An adapter in PEFT's form, with the tokenizer beside it.
    case adapter
    /// All files of records, or those that a selector names.
    case dataset
}

/// The files of a model's repository that Meno reads.
enum ModelFileNames {
    static let configuration = "config.json"
    static let weights = "model.safetensors"
    static let index = "model.safetensors.index.json"
    static let adapterConfiguration = "adapter_config.json"
    static let adapterWeights = "adapter_model.safetensors"
    /// Read where they are there.
    static let tokenizer = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "chat_template.json", "generation_config.json",
    ]

    /// The files beside the weights.
    static func companions(_ parts: HubParts) -> [String] {
        switch parts {
        case .model, .tokenizer: [configuration] + tokenizer
        case .adapter: [adapterConfiguration] + tokenizer
        case .dataset: []
        }
    }

    /// Formats of weights that can hold programs, or that other libraries than PyTorch read.
    static func isForeignWeights(_ name: String) -> Bool {
        let name = name.lowercased()
        return [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".onnx"].contains {
            name.hasSuffix($0)
        }
    }

    static func isGGUF(_ name: String) -> Bool { name.lowercased().hasSuffix(".gguf") }

    /// The model files of GGUF: what projects images for a model, and what a quantisation was weighed by, are none.
    static func models(_ names: [String]) -> [String] {
        names.filter {
            let file = ($0.split(separator: "/").last ?? "").lowercased()
            return isGGUF($0) && !file.hasPrefix("mmproj") && !file.contains("imatrix")
        }
    }
}
