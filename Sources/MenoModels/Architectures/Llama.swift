extension Architecture {
    /// Llama 2 and 3, SmolLM2 and everything else that transformers computes as `llama`.
    static let llama = Architecture(
        modelType: "llama", className: "LlamaForCausalLM", ggufNames: ["llama"], llamaCpp: .llama,
        permutesRotaryRows: true)
}
