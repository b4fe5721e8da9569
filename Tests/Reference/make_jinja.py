"""Renders templates with jinja2 as transformers sets it up for chat templates; the Swift interpreter must agree.

Writes fixtures/jinja/cases.json: [{name, template, variables, output, generation} or {…, error: true, line}].
`generation` are the ranges of UTF-8 bytes that `{% generation %}` blocks wrote. Snippets are in fixtures/jinja/snippets.txt, one a line,
chat templates in fixtures/jinja/templates.
"""

import json
import pathlib
import traceback

from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = pathlib.Path(__file__).parent / "fixtures" / "jinja"

COMMON = {
    "xs": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "d": {"b": 1, "a": [1, 2.5, None, True], "ü": {"k": "v"}},
    "users": [
        {"name": "Ann", "age": 31, "tags": ["x", "y"], "home": {"city": "Kyoto"}},
        {"name": "bob", "age": 25, "tags": [], "home": {"city": "Lima"}},
        {"name": "Cid", "age": 31},
    ],
    "s": "  Hello, World  ",
    "ja": "こんにちは、世界。質問は？",
    "text": "one two  three\nfour\n\nfive",
    "n": 7,
    "f": 2.5,
    "yes": True,
    "nothing": None,
    "empty": [],
}

SYSTEM = {"role": "system", "content": "You are brief.  \n"}
USER = {"role": "user", "content": " What is 2+2? "}
ANSWER = {"role": "assistant", "content": "It is 4.\n"}
JA_USER = {"role": "user", "content": "徳とは何ですか？「勇気」も徳に入りますか？"}
JA_ANSWER = {"role": "assistant", "content": "まず、あなたの考えを聞かせてください。\n\nなぜそう思いますか？"}
THOUGHT = {"role": "assistant", "content": "<think>\n2 and 2.\n</think>\n\n4"}
REASONED = {"role": "assistant", "content": "4", "reasoning_content": "Easy.\n"}
PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " Describe it. "}]}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "abc123xyz",
            "type": "function",
            "function": {"name": "weather", "arguments": {"city": "東京", "unit": "°C", "days": 2}},
        }
    ],
}
CALLS_AS_TEXT = {
    "role": "assistant",
    "content": "Let me look.",
    "tool_calls": [
        {"id": "000000001", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}},
        {"id": "000000002", "type": "function", "function": {"name": "time", "arguments": "{}"}},
    ],
}
RESULT = {"role": "tool", "tool_call_id": "abc123xyz", "name": "weather", "content": '{"temperature": 21.5, "sky": "晴れ"}'}
RESULT2 = {"role": "tool", "tool_call_id": "000000002", "name": "time", "content": "12:00"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city, <b>\"now\"</b> & later. 天気",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Its name"},
                    "unit": {"type": "string", "enum": ["°C", "°F"], "default": "°C"},
                    "days": {"type": "array", "items": {"type": "integer"}},
                    "place": {
                        "type": "object",
                        "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}},
                        "required": ["lat"],
                    },
                },
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "time", "description": "The time", "parameters": {"type": "object", "properties": {}}}},
]

CONVERSATIONS = {
    "one": ([USER], {"add_generation_prompt": True}),
    "turns": ([USER, ANSWER, USER], {"add_generation_prompt": True}),
    "system": ([SYSTEM, USER, ANSWER], {}),
    "japanese": ([{"role": "system", "content": "あなたはソクラテスです。"}, JA_USER, JA_ANSWER, JA_USER, JA_ANSWER], {"add_generation_prompt": False}),
    "thoughts": ([USER, THOUGHT, USER, REASONED], {"enable_thinking": False, "add_generation_prompt": True}),
    "parts": ([PARTS, {"role": "assistant", "content": [{"type": "text", "text": "A cat. "}]}], {}),
    "tools": ([SYSTEM, USER, CALL, RESULT], {"tools": TOOLS, "add_generation_prompt": True}),
    "tool answers": ([USER, CALLS_AS_TEXT, RESULT, RESULT2, ANSWER], {"tools": TOOLS[:1]}),
    "tools none": ([SYSTEM, JA_USER], {"tools": None, "date_string": "1 Jan 2025", "add_generation_prompt": True}),
    "wrong order": ([ANSWER, USER], {}),
    "wrong role": ([USER, {"role": "oracle", "content": "…"}], {}),
    "empty": ([], {"add_generation_prompt": True}),
    "no content": ([{"role": "user"}], {}),
}


def snippet_cases():
    for number, line in enumerate((HERE / "snippets.txt").read_text("utf-8").splitlines(), 1):
        if line and not line.startswith("##"):
            yield f"snippet {number}: {line[:60]}", line.replace("\\N", "\n"), COMMON


def chat_cases():
    for path in sorted((HERE / "templates").glob("*.jinja")):
        for name, (messages, extra) in CONVERSATIONS.items():
            variables = {"bos_token": "<s>", "eos_token": "</s>", "messages": messages, **extra}
            yield f"{path.stem}: {name}", path.read_text("utf-8"), variables


def line_of(error):
    if isinstance(error, SyntaxError):  # of the Python that jinja2 generates
        return None
    if getattr(error, "lineno", None):
        return error.lineno
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return frames[-1].lineno if frames else None


def run(name, template, variables):
    case = {"name": name}
    try:
        compiled = _compile_jinja_template(template)
        blocks, characters = [], []
        with compiled.environment.activate_tracker(blocks, characters):
            for block in compiled.generate(**variables):
                blocks.append(block)
        text = "".join(blocks)
        case["output"] = text
        case["generation"] = [[len(text[:end].encode()) for end in span] for span in characters if span[0] < span[1]]
    except Exception as error:  # whatever Python raises is an error of the template
        case["error"] = True
        case["line"] = line_of(error)
        case["reason"] = f"{type(error).__name__}: {error}"
    return case


def main():
    cases = [run(*case) | {"template": case[1]} for case in snippet_cases()]
    chats = [run(*case) for case in chat_cases()]
    variables = {name: {"bos_token": "<s>", "eos_token": "</s>", "messages": m, **e} for name, (m, e) in CONVERSATIONS.items()}
    result = {"common": COMMON, "conversations": variables, "snippets": cases, "chats": chats}
    (HERE / "cases.json").write_text(json.dumps(result, ensure_ascii=False, indent=0) + "\n", "utf-8")
    print(len(cases), "snippets,", len(chats), "chats;", sum("error" in c for c in cases + chats), "errors")
    for case in cases:
        if "error" in case:
            print(case["name"], "->", case["reason"])


if __name__ == "__main__":
    main()
