internal import Foundation
package import MenoTokenizers

extension Example {
    /// The example as the model sees it: every token with its number, its text and whether it carries loss.
    package func preview(_ tokenizer: Tokenizer, maxTokens: Int = 48) -> String {
        let text = tokenizer.decode(ids)
        var lines = [
            "\(place): \(ids.count) tokens, \(labelCount) of them carry loss", "",
            text.split(separator: "\n", omittingEmptySubsequences: false).map { "  │ \($0)" }.joined(separator: "\n"),
            "", "      id  loss  token",
        ]
        for index in ids.indices.prefix(maxTokens) {
            let number = String(ids[index])
            let padding = String(repeating: " ", count: max(0, 8 - number.count))
            let loss = index > 0 && labels[index] != Self.ignoredLabel ? "  ✓ " : "  · "
            lines.append("\(padding)\(number)  \(loss)  \(tokenizer.decode([ids[index]]).debugDescription)")
        }
        if ids.count > maxTokens { lines.append("       …  and \(ids.count - maxTokens) more") }
        return lines.joined(separator: "\n")
    }
}
