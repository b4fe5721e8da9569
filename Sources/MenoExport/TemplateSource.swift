package import MenoTokenizers
internal import Foundation

/// The text of a chat template in Jinja, as other programs read it.
package enum TemplateSource {
    /// - Parameters:
    ///   - name: what the template was chosen by: a built-in one's name, `tokenizer`, or the path of a file.
    ///   - template: the template itself.
    package static func text(of template: ChatTemplate, named name: String, tokenizer: Tokenizer) throws -> String {
        switch template {
        case .gemma: return gemma
        case .llama3: return llama3
        case .chatML: return chatML
        case .jinja:
            if name.hasSuffix(".jinja") { return try String(contentsOf: URL(filePath: name), encoding: .utf8) }
            return tokenizer.chatTemplateSource ?? ""
        }
    }

    private static let chatML = #"""
        {%- for message in messages -%}
        {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
        """#

    private static let llama3 = #"""
        {{- bos_token -}}
        {%- for message in messages -%}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%}
        """#

    private static let gemma = #"""
        {{- bos_token -}}
        {%- set opens = messages | length > 1 and messages[0]['role'] == 'system' and messages[1]['role'] == 'user' -%}
        {%- for message in messages -%}
        {%- if not (opens and loop.first) -%}
        {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
        {{- '<start_of_turn>' + ('user' if role == 'system' and loop.first else role) + '\n' -}}
        {%- if opens and loop.index0 == 1 -%}{{- messages[0]['content'] + '\n\n' -}}{%- endif -%}
        {{- message['content'] | trim + '<end_of_turn>\n' -}}
        {%- endif -%}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}
        """#
}
