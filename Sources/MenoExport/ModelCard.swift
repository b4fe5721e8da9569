internal import Foundation

/// The page that shows on a model's repository: what it was made of, and how.
package struct ModelCard: Sendable {
    package var name: String
    /// A Hugging Face id or a name.
    package var base: String
    package var license: String?
    package var isAdapter = false
    package var isGGUF = false
    /// Of the data that was trained on.
    package var dataHash: String?
    /// Keys of the run with their values.
    package var settings: [(key: String, value: String)] = []
    package var metrics: [(name: String, value: String)] = []
    /// What the export itself is made of.
    package var notes: [String] = []

    package init(name: String, base: String) {
        self.name = name
        self.base = base
    }

    package var text: String {
        var lines = ["---"]
        // An id of the hub has one slash and no other place's signs.
        if base.wholeMatch(of: #/[\w.-]+/[\w.-]+/#) != nil { lines.append("base_model: \(base)") }
        if let license { lines.append("license: \(license)") }
        lines += [
            "library_name: \(isAdapter ? "peft" : isGGUF ? "gguf" : "transformers")", "pipeline_tag: text-generation",
        ]
        lines += ["tags:", "- meno"] + (isGGUF ? ["- gguf"] : []) + ["---", "", "# \(name)", ""]
        lines.append("Fine-tuned from `\(base)` with Meno.")
        if !notes.isEmpty { lines += [""] + notes.map { "- \($0)" } }
        if let dataHash { lines += ["", "## Data", "", "SHA-256 of the training data: `\(dataHash)`"] }
        if !metrics.isEmpty {
            lines += ["", "## Results", ""] + table(("metric", "value"), metrics.map { ($0.name, $0.value) })
        }
        if !settings.isEmpty {
            lines += ["", "## Settings", ""] + table(("key", "value"), settings.map { ($0.key, $0.value) })
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func table(_ head: (String, String), _ rows: [(String, String)]) -> [String] {
        ["| \(head.0) | \(head.1) |", "|---|---|"]
            + rows.map { "| \($0.0) | \($0.1.replacing("|", with: "\\|").replacing("\n", with: " ")) |" }
    }
}
