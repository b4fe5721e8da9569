extension ChatTemplate {
    /// The template in Jinja, as `chat_template.jinja` holds it. Of a built-in one, a text that renders the same.
    package var source: String {
        switch self {
        case .gemma: Self.gemmaSource
        case .llama3: Self.llama3Source
        case .chatML: Self.chatMLSource
        case .jinja(let template): template.template.source
        }
    }

    private static let gemmaSource = #"""
        {{- bos_token }}
        {%- set turns = messages %}
        {%- set opening = '' %}
        {%- if messages | length > 1 and messages[0]['role'] == 'system' and messages[1]['role'] == 'user' %}
            {%- set turns = messages[1:] %}
            {%- set opening = messages[0]['content'] + '\n\n' %}
        {%- endif %}
        {%- for message in turns %}
            {%- set role = message['role'] %}
            {%- if role == 'assistant' %}
                {%- set role = 'model' %}
            {%- elif role == 'system' and loop.first %}
                {%- set role = 'user' %}
            {%- endif %}
            {{- '<start_of_turn>' + role + '\n' + (opening if loop.first else '') + message['content'] | trim }}
            {{- '<end_of_turn>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<start_of_turn>model\n' }}
        {%- endif %}
        """#

    private static let llama3Source = #"""
        {{- bos_token }}
        {%- for message in messages %}
            {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim }}
            {{- '<|eot_id|>' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
        {%- endif %}
        """#

    private static let chatMLSource = #"""
        {%- for message in messages %}
            {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """#
}
