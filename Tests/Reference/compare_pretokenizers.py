"""Compares how texts are cut under each `tokenizer.ggml.pre` with Hugging Face's tokenizers and with llama.cpp.

    pip install tokenizers transformers gguf xllamacpp
    python Tests/Reference/compare_pretokenizers.py PROGRAM FOLDER [NAME]...
    python Tests/Reference/compare_pretokenizers.py fixture

For each name a byte-level vocabulary is trained with the steps of that family's `tokenizer.json` and written twice to FOLDER: as
`tokenizer.json`, and as a GGUF file that names `pre`. Both are read by `PROGRAM tokenize`, and must give the ids of Hugging
Face's tokenizers. llama.cpp's ids are compared too. Where they are others, it does not do what `tokenizer.json` says: it knows no
normal forms, and some of its expressions are simplified.

`fixture` writes Tests/Reference/fixtures/tokenizers/pre-tokenizers.json: into how many bytes each piece of some texts is cut.
"""
import json
import os
import pathlib
import subprocess
import sys
import unicodedata
import urllib.request

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import gguf
import numpy
import xllamacpp
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer_texts import nasty, random_texts

root = pathlib.Path(__file__).parents[2]
program, folder = sys.argv[1], pathlib.Path(*sys.argv[2:3])
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
ENDS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + ENDS
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + ENDS)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n/]*|" + ENDS)
GPT4O = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + ENDS)
KIMI = (r"[\p{Han}]+|" + GPT4O.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]").replace("/]", "]"))
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
             r" ?[\p{P}\p{S}]+[\r\n]*|" + ENDS)
CHINESE, KANA = "[一-龥ࠀ-一가-퟿]+", "[一-龥぀-ゟ゠-ヿ]+"
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"


def split(*patterns):
    return [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns] + [pre_tokenizers.ByteLevel(False, True, False)]


def digits(alone=True):
    return pre_tokenizers.Digits(alone)


level = pre_tokenizers.ByteLevel(add_prefix_space=False)
# name: steps, whether texts are composed (NFC), whether whole pieces need no merges.
families = {
    "gpt-2": [level], "jais": [level], "exaone4": [level], "trillion": [level], "granite-docling": [level],
    "mpt": [level], "olmo": [level],
    "smollm": [digits(), level], "starcoder": [digits(), level], "refact": [digits(), level], "codeshell": [digits(), level],
    "exaone": [digits(), level], "minerva-7b": [digits(), level], "command-r": [digits(), level],
    "falcon": [pre_tokenizers.Punctuation("contiguous"), level, digits(False),
               pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")],
    "default": [pre_tokenizers.Split(Regex(r"[\p{P}\$\+<=>\^~\|]+"), "isolated"), level,
                pre_tokenizers.Split(Regex(r"\p{N}+"), "isolated"), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")],
    "llama-bpe": split(LLAMA3), "pixtral": split(LLAMA3), "dbrx": split(LLAMA3), "smaug-bpe": split(LLAMA3),
    "glm4": split(LLAMA3), "chatglm-bpe": split(LLAMA3),
    "qwen2": split(QWEN2), "megrez": split(QWEN2), "deepseek-r1-qwen": split(QWEN2), "stablelm2": split(QWEN2),
    "hunyuan": split(QWEN2), "qwen35": split(QWEN35),
    "tekken": split(TEKKEN), "gpt-4o": split(GPT4O), "llama4": split(GPT4O), "kimi-k2": split(KIMI),
    "seed-coder": split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + ENDS),
    "bailingmoe": split(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|"
                        r"\s+(?!\S)|\s+"),
    "exaone-moe": split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|"
                        r" ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"),
    "deepseek-llm": None,  # its letters are looked up
    "deepseek-coder": [*split("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CHINESE)[:-1], digits(),
                       pre_tokenizers.ByteLevel(False, True, False)],
    "deepseek-v3": split(r"\p{N}{1,3}", KANA, DEEPSEEK3), "hunyuan-dense": split(r"\p{N}{1,3}", KANA, DEEPSEEK3),
    "superbpe": split(r"\p{N}+", r"(?=(\d{3})+(?!\d))"),
    "poro-chat": split(BLOOM), "bloom": split(BLOOM), "gpt3-finnish": split(BLOOM), "viking": split(BLOOM, r"\p{N}"),
    "tiny_aya": split(r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O),
}
composed = {"mpt", "olmo", "command-r", "qwen2", "qwen35", "megrez", "deepseek-r1-qwen"}
whole = {"llama-bpe", "pixtral", "tekken"}


def texts():
    more = [
        "ΑΒΓ αβγ Ά", "Ünïcödé ÀÉ", "iPhone HTTPServer getURLFromJSON aB Ab AB ab", "1 22 333 4444 55555 666666 7,777.88",
        " 12 345 6789", "²³¹ ½x м м2 мир 999 12½3456", "They're WE'VE 'TIS it's I'd I'LL y'all", "a\r\n\r\n b\n\n\tc \r d",
        "…—‘’“”«»¿¡", "漢字かな交じり文、ﾃｽﾄ。 한국어 텍스트 ไทย", "العَرَبِيَّةُ ١٢٣ ۱۲۳", "a\u0323\u0307 q\u0307\u0323", "if (x==1) {\n\treturn x/2; // ok\n}",
        "$5+3<4>=2^8~|`x`", "👍🏽👍 ❤️‍🔥", "A/B\n/c", "<|im_end|>x", "  \n  \n x", "x  \u3000 y", "0x1F 1e-5 v2.0.1", "ǅ ǆ Ǆ ß ẞ ŉ",
    ]
    return nasty + more + random_texts(600)


def letters():
    """The letters of DeepSeek LLM's expression, from llama.cpp's library, which has them as `tokenizer.json` does."""
    library = pathlib.Path(xllamacpp.__file__).parent.glob("*.so")
    data = next(library).read_bytes()
    start = data.index(rb"\s?[A-Za-z" + "µ".encode())
    return data[start:data.index(b"\0", start)].decode()


def corpus():
    lines = (root / "Examples/dialogues.jsonl").read_text().splitlines()
    found = [m["content"] for line in lines for m in json.loads(line)["messages"]]
    return found + [t for t in texts()] * 3


def steps_of(name):
    if name == "deepseek-llm":
        return [*split("[\r\n]", letters(), "\\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", CHINESE)[:-1], digits(),
                pre_tokenizers.ByteLevel(False, True, False)]
    return families[name]


def make(name):
    steps = steps_of(name)
    tokenizer = Tokenizer(models.BPE(ignore_merges=name in whole))
    if name in composed:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=1200, special_tokens=["<|endoftext|>", "<|bos|>"], show_progress=False, max_token_length=12,
        limit_alphabet=256, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def write_gguf(path, name, tokenizer):
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(4096)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if t in ("<|endoftext|>", "<|bos|>") else 1 for t in tokens])
    writer.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in model["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    zeros = lambda *shape: numpy.zeros(shape, numpy.float32)
    writer.add_tensor("token_embd.weight", zeros(len(tokens), 32))
    writer.add_tensor("output_norm.weight", zeros(32))
    for part, shape in {"attn_norm": (32,), "ffn_norm": (32,), "attn_q": (32, 32), "attn_k": (32, 32), "attn_v": (32, 32),
                        "attn_output": (32, 32), "ffn_gate": (32, 32), "ffn_up": (32, 32), "ffn_down": (32, 32)}.items():
        writer.add_tensor(f"blk.0.{part}.weight", zeros(*shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def meno(path):
    lines = folder / "texts.jsonl"
    lines.write_text("".join(json.dumps({"text": t}) + "\n" for t in all_texts))
    output = subprocess.run([program, "tokenize", "--model", path, "--file", lines, "--json"], capture_output=True)
    if output.returncode:
        raise SystemExit(output.stderr.decode())
    return [json.loads(line)["ids"] for line in output.stdout.decode().strip("\n").split("\n")]


def llama_cpp(path):
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 64
    params.warmup = False
    params.verbosity = -1
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    found = []
    for text in all_texts:
        request = urllib.request.Request(
            server.listening_address + "/tokenize", json.dumps({"content": text, "add_special": False, "parse_special": True}).encode(),
            {"Content-Type": "application/json"})
        found.append(json.load(urllib.request.urlopen(request))["tokens"])
    return found


def fixture():
    """Behind `ByteLevel` a character is a byte."""
    cut = [t for t in texts()[:-600] if len(t) < 60] + random_texts(25, seed=11)
    cuts = {name: [[len(piece) for piece, _ in pre_tokenizers.Sequence(steps_of(name)).pre_tokenize_str(t)] for t in cut]
            for name in families}
    path = root / "Tests/Reference/fixtures/tokenizers/pre-tokenizers.json"
    path.write_text(json.dumps({"texts": cut, "cuts": cuts}, separators=(",", ":")))


def different(a, b):
    return [t for t, x, y in zip(all_texts, a, b) if x != y]


if program == "fixture":
    sys.exit(fixture())
folder.mkdir(parents=True, exist_ok=True)
all_texts = texts()
status = 0
for name in sys.argv[3:] or families:
    tokenizer = make(name)
    tokenizer.save(str(folder / f"{name}.tokenizer.json"))
    write_gguf(folder / f"{name}.gguf", name, tokenizer)
    theirs = [tokenizer.encode(t, add_special_tokens=False).ids for t in all_texts]
    from_json, from_gguf = (different(theirs, meno(folder / f"{name}.{end}")) for end in ("tokenizer.json", "gguf"))
    other = different(theirs, llama_cpp(folder / f"{name}.gguf"))
    composes = sum(unicodedata.normalize("NFC", t) != t for t in other) if name in composed else 0
    print(f"{name:18} {len(all_texts)} texts, {sum(map(len, theirs))} tokens; differ: tokenizer.json {len(from_json)}, "
          f"GGUF {len(from_gguf)}; llama.cpp {len(other)}" + (f" ({composes} not composed)" if composes else ""), flush=True)
    for text in (from_json + from_gguf)[:3] + other[:2]:
        print("   ", ascii(text)[:160])
    status |= bool(from_json or from_gguf)
sys.exit(status)
