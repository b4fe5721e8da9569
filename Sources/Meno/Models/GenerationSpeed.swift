internal import Foundation

/// How long a prompt and its answer took.
package struct GenerationSpeed: Sendable, Hashable, CustomStringConvertible {
    /// The number of tokens in the prompt.
    package let promptTokens: Int
    /// Seconds until the first token of the answer.
    package let promptSeconds: Double
    /// The number of tokens after the first one.
    package let tokens: Int
    /// Seconds taken by the tokens after the first one.
    package let seconds: Double

    /// `prompt: 41 tokens in 0.12 s (342 tokens/s); answer: 127 tokens in 1.10 s (115.5 tokens/s)`
    package var description: String {
        let part = { (name: String, tokens: Int, seconds: Double) in
            let rate = seconds > 0 ? String(format: " (%.1f tokens/s)", Double(tokens) / seconds) : ""
            return "\(name): \(tokens) tokens in \(String(format: "%.2f", seconds)) s\(rate)"
        }
        return "\(part("prompt", promptTokens, promptSeconds)); \(part("answer", tokens, seconds))"
    }
}
