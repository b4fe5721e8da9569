extension ModelKeys {
    /// A mixture of experts by the keys that most files have.
    /// - Parameters:
    ///   - count: the default number of experts; `chosen` and `size` likewise.
    func experts(count: Int?, chosen: Int?, size: Int?) throws -> ExpertsConfiguration {
        let names = ["num_local_experts", "num_experts", "n_routed_experts"]
        let named = names.first { json?.has($0) ?? false } ?? names[0]
        return ExpertsConfiguration(
            count: try required(named, gguf: "expert_count", default: json == nil ? nil : count),
            chosen: try required(
                "num_experts_per_tok", gguf: "expert_used_count", default: json == nil ? nil : chosen),
            intermediateSize: try required(
                "moe_intermediate_size", gguf: "expert_feed_forward_length", default: size))
    }

    private func required(_ key: String, gguf name: String, default fallback: Int?) throws -> Int {
        if let value = try int(key, gguf: name, default: fallback) { return value }
        throw ModelError(.malformed, at: path, "has no key \"\(json == nil ? name : key)\".")
    }
}
