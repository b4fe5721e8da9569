package import MenoTokenizers

/// The Modelfile that Ollama makes a model of: weights, template, stop tokens and system text.
///
/// Keywords as Ollama's documentation has them (https://github.com/ollama/ollama/blob/main/docs/modelfile.md). Untested with
/// Ollama itself.
package struct OllamaModelfile {
    package let weights: String
    /// `nil`: the model continues texts and knows no turns.
    package let template: ChatTemplate?
    package let stops: [String]
    package let system: String?

    /// - Parameters:
    ///   - weights: the name of the GGUF file beside it.
    ///   - stops: tokens that end an answer.
    package init(weights: String, template: ChatTemplate?, stops: [String], system: String?) {
        self.weights = weights
        self.template = template
        self.stops = stops
        self.system = system
    }

    package var text: String {
        var lines = ["FROM ./\(weights)", ""]
        if let template = goTemplate {
            lines += ["TEMPLATE \(Self.quoted(template))", ""]
        } else {
            lines += [
                "# The chat template is in the GGUF file, in Jinja (tokenizer.chat_template); Ollama takes it from there.",
                "",
            ]
        }
        lines += stops.map { "PARAMETER stop \(Self.quoted($0))" }
        if let system { lines += ["", "SYSTEM \(Self.quoted(system))"] }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The built-in templates in Ollama's language, which is that of Go's templates.
    private var goTemplate: String? {
        switch template {
        case .gemma:
            // The system text opens the first turn of the user, as in training.
            """
            {{- range $i, $_ := .Messages }}
            {{- if eq .Role "user" }}<start_of_turn>user
            {{ if and (eq $i 1) $.System }}{{ $.System }}

            {{ end }}{{ .Content }}<end_of_turn>
            {{ else if eq .Role "assistant" }}<start_of_turn>model
            {{ .Content }}<end_of_turn>
            {{ end }}
            {{- end }}<start_of_turn>model

            """
        case .llama3:
            """
            {{- range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>

            {{ .Content }}<|eot_id|>
            {{- end }}<|start_header_id|>assistant<|end_header_id|>


            """
        case .chatML:
            """
            {{- range .Messages }}<|im_start|>{{ .Role }}
            {{ .Content }}<|im_end|>
            {{ end }}<|im_start|>assistant

            """
        case .jinja: nil
        case nil: "{{ .Prompt }}"
        }
    }

    /// In triple quotes, which may span lines; a text that holds them is given in single ones.
    private static func quoted(_ text: String) -> String {
        if !text.contains("\n"), !text.contains("\"") { return "\"\(text)\"" }
        return "\"\"\"\(text.replacing("\"\"\"", with: "\" \" \""))\"\"\""
    }
}
