package import Foundation

/// Finds files that tests read.
package enum Fixtures {
    /// The repository's root.
    package static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Tiny models of the families that came after Gemma 2, Gemma 3 and Llama, in `models`.
    package static let families = [
        "qwen2-tiny", "qwen2-yarn", "qwen3-tiny", "llama-dynamic", "mistral-tiny", "ministral-tiny", "ministral3-tiny",
        "phi3-tiny", "gemma-tiny", "olmo2-tiny", "olmo3-tiny", "granite-tiny", "smollm3-tiny", "glm-tiny", "glm4-tiny",
        "cohere-tiny", "cohere-normalized", "cohere2-tiny", "stablelm-tiny", "stablelm-normalized", "stablelm-parallel",
        "exaone4-tiny",
        "exaone4-windows", "seed-oss-tiny", "arcee-tiny", "ernie4-5-tiny", "hunyuan-tiny", "helium-tiny",
        "mixtral-tiny", "qwen2-moe-tiny", "qwen2-moe-windows", "qwen3-moe-tiny", "qwen3-moe-dense",
        "qwen3-moe-balanced",
        "olmoe-tiny",
        "olmoe-clipped", "granitemoe-tiny", "granitemoehybrid-tiny", "granitemoehybrid-dense", "phimoe-tiny",
        "phimoe-plain",
        "glm4-moe-tiny", "glm4-moe-plain", "gpt-oss-tiny", "gpt-oss-clamped", "gpt-neox-tiny", "gpt-neox-serial",
        "gpt2-tiny",
        "gpt2-untied", "phi-tiny", "phi-normalized", "starcoder2-tiny", "starcoder2-windows", "nemotron-tiny",
        "falcon-tiny", "falcon-multi-query", "falcon-alibi", "olmo-tiny", "apertus-tiny", "mpt-tiny",
    ]

    /// A committed fixture under `Tests/Reference/fixtures`.
    package static func url(_ path: String) -> URL {
        repository.appending(path: "Tests/Reference/fixtures").appending(path: path)
    }

    /// The 2,000 real dialogues beside the checkout, where present.
    package static let socraticDialogues = existing(
        repository.appending(path: "../shared/data/socratic_dialogues.ja.json"))

    /// A downloaded model of the user's cache (`meno models fetch`), where present.
    package static func model(_ file: String) -> URL? {
        let environment = ProcessInfo.processInfo.environment
        let cache =
            environment["MENO_CACHE"].map { URL(filePath: $0) }
            ?? environment["XDG_CACHE_HOME"].map { URL(filePath: $0).appending(path: "meno") }
            ?? URL(filePath: NSHomeDirectory()).appending(path: ".cache/meno")
        return existing(cache.appending(path: "models").appending(path: file))
    }

    private static func existing(_ url: URL) -> URL? {
        FileManager.default.fileExists(atPath: url.path) ? url.standardizedFileURL : nil
    }
}
