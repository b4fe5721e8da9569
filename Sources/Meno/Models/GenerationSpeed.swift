internal import Foundation

/// How long a prompt and its answer took.
package struct GenerationSpeed: Sendable, Hashable, CustomStringConvertible {
    /// Tokens of the prompt.
    package let promptTokens: Int
    /// Seconds until the first token of the answer.
    package let promptSeconds: Double
    /// Tokens after the first one.
    package let tokens: Int
    /// Seconds that these took.
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
