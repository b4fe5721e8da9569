internal import Foundation
package import MenoTokenizers

extension Example {
    /// The example as the model sees it: every token with its number, its text and whether it carries loss.
    package func preview(_ tokenizer: Tokenizer, maxTokens: Int = 48) -> String {
        guard let preference else { return listing(tokenizer, maxTokens: maxTokens) }
        guard let rejected = preference.rejected else {
            return listing(tokenizer, maxTokens: maxTokens, title: preference.isDesirable ? "desirable" : "undesirable")
        }
        var other = Example(
            ids: rejected,
            labels: rejected.enumerated().map { $0 < preference.promptLength ? Self.ignoredLabel : $1 },
            isCompletion: rejected.indices.map { $0 >= preference.promptLength }, place: place, source: source)
        other.preference = nil
        return [(self, "chosen"), (other, "rejected")].map { side, title in
            side.listing(tokenizer, maxTokens: maxTokens, title: title)
        }.joined(separator: "\n\n")
    }

    private func listing(_ tokenizer: Tokenizer, maxTokens: Int, title: String? = nil) -> String {
        let text = tokenizer.decode(ids)
        var lines = [
            "\(place)\(title.map { ", \($0)" } ?? ""): \(ids.count) tokens, \(labelCount) of them carry loss", "",
            text.split(separator: "\n", omittingEmptySubsequences: false).map { "  │ \($0)" }.joined(separator: "\n"),
            "", "      id  loss  token",
        ]
        // A character at the end may need some tokens more.
        let pieces = tokenizer.pieces(of: ids.prefix(maxTokens + 12))
        for (index, piece) in pieces.enumerated().prefix(maxTokens) {
            let number = String(ids[index])
            let padding = String(repeating: " ", count: max(0, 8 - number.count))
            let loss = index > 0 && labels[index] != Self.ignoredLabel ? "  ✓ " : "  · "
            lines.append("\(padding)\(number)  \(loss)  \(piece)")
        }
        if ids.count > maxTokens { lines.append("       …  and \(ids.count - maxTokens) more") }
        return lines.joined(separator: "\n")
    }
}
