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

out = pathlib.Path(__file__).parent / "fixtures/tokenizers"
out.mkdir(parents=True, exist_ok=True)
nasty = [
    "", " ", "   ", "a", " a", "Hello, world!", "ソクラテスは言った。「君はどう思うかね？」", "勇気とは何か  二つの空白",
    "ﾊﾝｶｸ ｶﾅ １２３ ４５６", "がぎぐ", "👍🏽 👨‍👩‍👧‍👦 🇯🇵🇫🇷", "e\u0301 a\u0300\u0301", "tab\tnew\nline\r\nend\r",
    "\n\n\n", "\u0000\u0001\u0007", "1234567890 3.14", "don't we'll I'VE 'sup", "שלום עולם", "สวัสดีครับ", "नमस्ते दुनिया",
    "<bos>x<eos>", "<start_of_turn>user\nhi<end_of_turn>\n", "<|im_start|>user\nhi<|im_end|>\n", "<|im_start", "a" * 300,
    "あ" * 300, " " * 300, "\ufeffBOM", "\u200b\u200d", "x\u00a0y\u3000z", "def f(x):\n    return x**2  # 二乗\n", "▁▁a", "½ Ⅷ ²",
    "<table><td>", "  leading and trailing  ", "𠮷野家 𝒳",
    "\n" * 40, "a\n\n b", "x  y   z    .", "\t\t\t", " \n \n", " " * 7, " " * 33, " " * 301,
]


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
