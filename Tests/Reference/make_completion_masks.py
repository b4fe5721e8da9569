"""Which tokens belong to an answer, as transformers and TRL see it; the Swift example builder must agree token by token.

Writes fixtures/masks/masks.json, or with `--templates FOLDER --output FILE` the same for the templates of a folder (such as TRL's own,
`trl/chat_templates`); `MENO_MASKS=FILE swift test --filter CompletionMaskTests` then checks those.

References:
- `plain`: TRL's common prefix. (A vocabulary that fuses neighbors without a token into one <unk> has no place here: TRL then counts the
  <unk> that ends a prompt as the prompt's, though it stands for the answer's beginning, too.) A prompt alone and the prompt with its completion are encoded; the completion begins where the two differ.
- `generation`: transformers' `return_assistant_tokens_mask` of a template with `{% generation %}`: every token that overlaps a block.
- `prefix`: TRL's common prefix for a template without: the prompt with the assistant's opening, and the whole. TRL learns the white space
  behind the token that ends a turn, too, which no model has to write: the mask ends before it.
Each mask is [tokens, first, end]: the tokens of the whole and the range that is the answer's.
"""

import argparse
import json
import pathlib
import random

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

FIXTURES = pathlib.Path(__file__).parent / "fixtures"

PLAIN = [
    ("Review: {a} {b}.\nSentiment:", " {c}"), ("Q: what is {a}?\nA:", " {b}, {c}."), ("{a} + {b} =", " {n}"), ("質問：{j}とは何か。\n答え：", "{k}"),
    ("def {a}({b}):\n    return", " {b} + {n}"), ("{a}", " {b} {c}"), ("Translate \"{a}\" into Greek:", "\n{b}"), ("{j}、{k}", "。{j}"),
    ("<b>{a}</b>", "<i>{b}</i>"), ("{a}-{b}", "-{c}"), ("{n}.", "{n}"), ("{a}\n\n{b}:", "\n\n{c}"),
]
# What ends with white space merges with the answer that follows.
MERGING = [("Review: {a} {b}.\nSentiment: ", "{c}"), ("{a}\n", "\n{b}"), ("Q: {a}\nA:  ", " {b}"), ("1 + 1 =  ", "{n}")]
WORDS = "virtue courage justice wisdom piety friendship beauty knowledge Meno Socrates teach learn ask answer über naïve it's 12th".split()
JAPANESE = "徳 勇気 正義 知恵 敬虔 友情 美 知識 メノン 教える 学ぶ 問う".split()


def fill(pattern, draw):
    values = {"a": draw.choice(WORDS), "b": draw.choice(WORDS), "c": draw.choice(WORDS), "n": str(draw.randint(0, 2000))}
    values |= {"j": draw.choice(JAPANESE), "k": draw.choice(JAPANESE)}
    return [part.format(**values) for part in pattern]


def prompts():
    draw = random.Random(25)
    return [fill(PLAIN[i % len(PLAIN)], draw) for i in range(200)], [fill(MERGING[i % len(MERGING)], draw) for i in range(40)]


def common_prefix(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def plain_mask(tokenizer, prompt, completion):
    whole = tokenizer.encode(prompt + completion).ids
    return [len(whole), common_prefix(tokenizer.encode(prompt).ids, whole), len(whole)]


# The small tokenizers name no special tokens.
NONE = {name: "" for name in ["bos_token", "eos_token", "pad_token", "unk_token"]}


def chat_mask(tokenizer, template, prompt, completion):
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    render = lambda messages, opens: tokenizer.apply_chat_template(
        messages, chat_template=template, add_generation_prompt=opens, tokenize=False, **NONE)
    text = render(messages, False)
    whole = tokenizer(text, add_special_tokens=False)
    if "{% generation" in template or "{%- generation" in template:
        mask = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, **NONE
        )["assistant_masks"]
        places = [i for i, value in enumerate(mask) if value]
        return [len(mask), places[0], places[-1] + 1] if places else [len(mask), 0, 0]
    first = common_prefix(tokenizer(render(messages[:1], True), add_special_tokens=False)["input_ids"], whole["input_ids"])
    written = len(text.rstrip(" \n"))
    end = max(i for i, (start, _) in enumerate(whole.encodings[0].offsets) if start < written) + 1
    return [len(whole["input_ids"]), first, end]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--templates", type=pathlib.Path, default=FIXTURES / "jinja" / "templates")
    parser.add_argument("--output", type=pathlib.Path, default=FIXTURES / "masks" / "masks.json")
    arguments = parser.parse_args()
    clean, merging = prompts()
    families = ["llama3", "llama2", "gemma", "qwen", "smollm", "mistral", "gpt2", "deepseek", "unigram-bytes", "o200k"]
    files = {name: FIXTURES / "tokenizers" / "families" / f"{name}.tokenizer.json" for name in families}
    result = {"clean": clean, "merging": merging, "plain": {}, "chats": []}
    for name, file in files.items():
        tokenizer = Tokenizer.from_file(str(file))
        result["plain"][name] = [plain_mask(tokenizer, *pair) for pair in clean + merging]
    for path in sorted(arguments.templates.glob("*.jinja")):
        template = path.read_text("utf-8")
        for family in ["llama3"]:
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(files[family]), bos_token=None, eos_token=None)
            masks = []
            for prompt, completion in clean:
                try:
                    masks.append(chat_mask(tokenizer, template, prompt, completion))
                except Exception as error:  # a template may need what this conversation lacks
                    masks.append(None)
                    reason = f"{type(error).__name__}: {error}"
            if not any(masks):
                print(f"{path.stem} with {family} is left out: {reason}")
                continue
            entry = {"template": path.stem, "family": family, "masks": masks}
            if arguments.output.parent.name != "masks":
                entry["source"] = template
            result["chats"].append(entry)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
