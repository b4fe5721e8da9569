"""Checks the tokenizer and template that `meno train` saves beside an adapter: AutoTokenizer gives the ids of `meno tokenize`
with the model's own vocabulary, and the template writes what the built-in one does.

    python Tests/Reference/check_saved_tokenizers.py MENO FOLDER_FOR_RUNS [MODEL …]

MENO is the program, MODEL a name or path of a model: gemma-3-270m and smollm2-135m unless given.
"""
import json
import pathlib
import subprocess
import sys

from transformers import AutoTokenizer

from tokenizer_texts import nasty, random_texts

meno, folder, *names = sys.argv[1:]
folder = pathlib.Path(folder)
folder.mkdir(parents=True, exist_ok=True)
conversations = [
    [{"role": "user", "content": " What is virtue? "}, {"role": "assistant", "content": "Tell me.\n"}],
    [{"role": "system", "content": "Ask.\n"}, {"role": "user", "content": "徳とは？"}, {"role": "assistant", "content": "さて"},
     {"role": "user", "content": "…"}],
]
# Written by hand, from the documentation of the formats.
expected = {
    "gemma": [
        "<bos><start_of_turn>user\nWhat is virtue?<end_of_turn>\n<start_of_turn>model\nTell me.<end_of_turn>\n",
        "<bos><start_of_turn>user\nAsk.\n\n\n徳とは？<end_of_turn>\n<start_of_turn>model\nさて<end_of_turn>\n"
        "<start_of_turn>user\n…<end_of_turn>\n",
    ],
    "chatml": [
        "<|im_start|>user\n What is virtue? <|im_end|>\n<|im_start|>assistant\nTell me.\n<|im_end|>\n",
        "<|im_start|>system\nAsk.\n<|im_end|>\n<|im_start|>user\n徳とは？<|im_end|>\n<|im_start|>assistant\nさて<|im_end|>\n"
        "<|im_start|>user\n…<|im_end|>\n",
    ],
}
opening = {"gemma": "<start_of_turn>model\n", "chatml": "<|im_start|>assistant\n"}
texts = nasty + random_texts(2000)
(folder / "texts.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
(folder / "data.jsonl").write_text("".join(json.dumps({"messages": conversations[0]}) + "\n" for _ in range(4)))
failures = 0
for name in names or ["gemma-3-270m", "smollm2-135m"]:
    template = "gemma" if "gemma" in name else "chatml"
    run = folder / pathlib.Path(name).name
    settings = {
        "base_output_dir": str(run), "model": {"name_or_path": name, "device": "cpu"},
        "data": {"path": str(folder / "data.jsonl"), "max_length": 32, "train_fraction": 0.5, "chat_template": template},
        "training": {"max_steps": 1, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1, "warmup_ratio": 0.0},
        "monitor": {"probes": {"when": "never"}},
    }
    (folder / "run.yaml").write_text(json.dumps(settings))
    subprocess.run([meno, "train", folder / "run.yaml", "--overwrite", "--quiet"], check=True)
    lines = subprocess.run(
        [meno, "tokenize", "--model", name, "--file", folder / "texts.jsonl", "--json"], check=True, capture_output=True
    ).stdout.decode().strip("\n").split("\n")
    ours = [json.loads(line)["ids"] for line in lines]
    for place in [run / "model", run / "model/checkpoint-1"]:
        tokenizer = AutoTokenizer.from_pretrained(place)
        theirs = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
        different = [text for text, a, b in zip(texts, ours, theirs) if a != b]
        decoded = [text for text, ids in zip(texts, theirs) if text.isascii() and tokenizer.decode(ids) != text]
        written = [tokenizer.apply_chat_template(c, tokenize=False) for c in conversations]
        prompts = [tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in conversations]
        same = written == expected[template] and prompts == [t + opening[template] for t in expected[template]]
        print(f"{place}: {len(tokenizer)} tokens; of {len(texts)} texts {len(different)} differ, of the ASCII ones "
              f"{len(decoded)} are decoded otherwise; template {'equal' if same else 'DIFFERS'}; "
              f"{sum(f.stat().st_size for f in place.iterdir() if 'token' in f.name or 'chat' in f.name) >> 10} KiB")
        for text in different[:5] + decoded[:5]:
            print("  ", ascii(text))
        failures += len(different) + (not same)
sys.exit(failures > 0)
