"""Makes Tests/Reference/fixtures/tokenizers: ids that Hugging Face's tokenizers give with the real models' vocabularies.

    python Tests/Reference/make_tokenizers.py FOLDER_OF_GGUF_FILES DIALOGUES.json

The Gemma tokenizer is transformers' own conversion of the GGUF vocabulary. SmolLM2's is built here from the file's tokens
and merges with the pre-tokenizer that SmolLM2 has (single digits, then byte-level), which the conversion leaves out.
Dialogue texts are not stored: only the number of ids and their FNV-1a hash.
"""
import json
import pathlib
import sys

from transformers import AutoTokenizer

from smollm2_tokenizer import smollm2
from tokenizer_texts import nasty

out = pathlib.Path(__file__).parent / "fixtures/tokenizers"
out.mkdir(parents=True, exist_ok=True)


def gemma(folder, file):
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    return lambda text: tokenizer(text, add_special_tokens=False).input_ids


def fnv(ids):
    value = 0xCBF29CE484222325
    for token in ids:
        value = ((value ^ token) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


folder, dialogues = sys.argv[1:3]
texts = ["\n".join(m["content"] for m in d["messages"]) for d in json.load(open(dialogues))[:200]]
files = {"gemma-3-270m-q4_k_m.gguf": None, "SmolLM2-135M-Instruct.Q4_1.gguf": None}
for file in files:
    encode = gemma(folder, file) if file.startswith("gemma") else smollm2(f"{folder}/{file}")
    (out / (file + ".json")).write_text(json.dumps({
        "texts": [{"text": t, "ids": encode(t)} for t in nasty],
        "dialogues": [{"count": len(encode(t)), "fnv": fnv(encode(t))} for t in texts]}, ensure_ascii=True))
