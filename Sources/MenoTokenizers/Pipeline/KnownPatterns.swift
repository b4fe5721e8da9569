/// The patterns by which byte-level tokenizers cut texts, by the names that GGUF files give them.
package enum KnownPatterns {
    package static let all: [(name: String, pattern: String)] = [
        ("gpt-2", PreTokenizer.gpt2), ("llama-bpe", PreTokenizer.llama3), ("qwen2", PreTokenizer.qwen2),
    ]
}
