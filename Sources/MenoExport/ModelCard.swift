package import Foundation

/// The page that shows on a model's repository: what it was made of, and how.
package struct ModelCard: Sendable {
    package var name: String
    /// A Hugging Face id or a name.
    package var base: String
    package var license: String?
    package var isAdapter = false
    package var isGGUF = false
    /// Whether weights have fewer bits than the base's.
    package var isQuantized = false
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

    /// The license that the page of a model's folder names, where it has one.
    package static func license(of folder: URL) -> String? {
        guard let page = try? String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8),
            page.hasPrefix("---\n")
        else { return nil }
        let front = page.split(separator: "\n").dropFirst().prefix { !$0.hasPrefix("---") }
        return front.first { $0.hasPrefix("license:") }.map {
            $0.dropFirst("license:".count).trimmingCharacters(in: .whitespaces)
        }
    }

    /// Where the base lay on this machine is nobody's business.
    private var shownBase: String { base.hasPrefix("/") ? String(base.split(separator: "/").last ?? "") : base }

    package var text: String {
        var lines = ["---"]
        // An id of the hub has one slash and no other place's signs.
        if base.wholeMatch(of: #/[\w.-]+/[\w.-]+/#) != nil {
            lines.append("base_model: \(base)")
            lines.append("base_model_relation: \(isAdapter ? "adapter" : isQuantized ? "quantized" : "finetune")")
        }
        if let license { lines.append("license: \(license)") }
        lines += [
            "library_name: \(isGGUF ? "gguf" : "transformers")", "pipeline_tag: text-generation",
        ]
        lines += ["tags:", "- meno"] + (isGGUF ? ["- gguf"] : []) + ["---", "", "# \(name)", ""]
        lines.append("Fine-tuned from `\(shownBase)` with Meno.")
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
