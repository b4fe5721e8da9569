internal import MenoJinja

/// A template that Meno brings along, in Jinja. The answers are marked by generation blocks.
struct BuiltInTemplate: Sendable {
    let template: JinjaTemplate
    /// The text without marks, which every program that renders chat templates reads.
    let source: String
    /// The token that begins every turn, and the one that ends it.
    let opening: String
    let ending: String
    let turns: Turns

    /// How turns are written, for ``written(_:addGenerationPrompt:)``.
    struct Turns: Sendable {
        /// What follows the role.
        var afterRole = "\n"
        /// What follows the token that ends a turn.
        var afterTurn = ""
        var trims = true
        /// What the role of the assistant is called.
        var assistant = "assistant"
        /// Whether user and assistant must alternate, and a system turn opens the first turn of the user.
        var alternate = false
    }

    private init(_ marked: String, opening: String, ending: String, _ turns: Turns) {
        do {
            template = try JinjaTemplate(marked)
        } catch {
            preconditionFailure("a built-in chat template cannot be read: \(error)")
        }
        source = marked.replacing("{%- generation -%}", with: "").replacing("{%- endgeneration -%}", with: "")
        self.opening = opening
        self.ending = ending
        self.turns = turns
    }

    /// A turn whose content is not text (`null`, or parts) cannot be rendered.
    private static let requireText = """
        {%- if message['content'] is not string -%}\
        {{- raise_exception('the content of the turn of the role ' + message['role'] + ' is no text') -}}\
        {%- endif -%}
        """

    /// A turn's text with the token that ends it, marked where the assistant writes it.
    private static func turn(_ text: String) -> String {
        """
        {%- if message['role'] == 'assistant' -%}\
        {%- generation -%}{{- \(text) -}}{%- endgeneration -%}\
        {%- else -%}{{- \(text) -}}{%- endif -%}
        """
    }

    static let chatML = BuiltInTemplate(
        """
        {%- for message in messages -%}
        \(requireText)
        {{- '<|im_start|>' + message['role'] + '\\n' -}}
        \(turn("message['content'] + '<|im_end|>'"))
        {{- '\\n' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
        """, opening: "<|im_start|>", ending: "<|im_end|>", Turns(afterTurn: "\n", trims: false))

    static let llama3 = BuiltInTemplate(
        """
        {{- bos_token -}}
        {%- for message in messages -%}
        \(requireText)
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' -}}
        \(turn("message['content'] | trim + '<|eot_id|>'"))
        {%- endfor -%}
        {%- if add_generation_prompt -%}\
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{%- endif -%}
        """, opening: "<|start_header_id|>", ending: "<|eot_id|>",
        Turns(afterRole: "<|end_header_id|>\n\n"))

    /// Gemma has no system turn: its text is put unchanged at the start of the first user turn.
    static let gemma = BuiltInTemplate(
        """
        {{- bos_token -}}
        {%- if messages[0]['role'] == 'system' -%}
        {%- set prefix = messages[0]['content'] + '\\n\\n' -%}
        {%- set turns = messages[1:] -%}
        {%- else -%}
        {%- set prefix = '' -%}
        {%- set turns = messages -%}
        {%- endif -%}
        {%- for message in turns -%}
        {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
        {%- endif -%}
        \(requireText)
        {{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' -}}
        {{- prefix if loop.first else '' -}}
        \(turn("message['content'] | trim + '<end_of_turn>'"))
        {{- '\\n' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}
        """, opening: "<start_of_turn>", ending: "<end_of_turn>",
        Turns(afterTurn: "\n", assistant: "model", alternate: true))
}
