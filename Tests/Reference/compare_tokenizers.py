"""Compares ids and speed with Hugging Face's tokenizers on real vocabularies.

    python Tests/Reference/compare_tokenizers.py FOLDER_OF_GGUF_FILES DIALOGUES.json FOLDER [speed]

FOLDER receives a tokenizer.json of Gemma 3, of SmolLM2 (both from the vocabularies of their GGUF files) and of a Unigram
model with 16,000 tokens that SentencePiece trains on the dialogues with its `nmt_nfkc` normalisation. Every tokenizer
encodes the first 200 dialogues, the list of nasty texts and 2,000 random ones, here and in `meno tokenize`.
`speed` measures all dialogues on one thread instead, five times in turn, without start-up.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from smollm2_tokenizer import smollm2_tokenizer
from tokenizer_texts import nasty, random_texts

root = pathlib.Path(__file__).parents[2]
ggufs, dialogue_file, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
folder.mkdir(parents=True, exist_ok=True)
dialogues = [[m["content"] for m in d["messages"]] for d in json.load(open(dialogue_file))]


def unigram():
    prefix = folder / "unigram"
    if not prefix.with_suffix(".model").exists():
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(text for d in dialogues for text in d), model_prefix=str(prefix), vocab_size=16000,
            model_type="unigram", normalization_rule_name="nmt_nfkc", byte_fallback=True, minloglevel=2)
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(prefix.with_suffix(".model").read_bytes())
    tokenizer = Tokenizer(models.Unigram(
        [(p.piece, p.score) for p in proto.pieces], unk_id=proto.trainer_spec.unk_id, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always", True)
    tokenizer.decoder = decoders.Metaspace("▁", "always", True)
    tokenizer.add_special_tokens([AddedToken(p.piece, special=True) for p in proto.pieces if p.type == 3])
    return tokenizer


def save():
    for name, make in {
        "gemma": lambda: AutoTokenizer.from_pretrained(
            ggufs, gguf_file="gemma-3-270m-q4_k_m.gguf").backend_tokenizer,
        "smollm2": lambda: smollm2_tokenizer(f"{ggufs}/SmolLM2-135M-Instruct.Q4_1.gguf"),
        "unigram": unigram,
    }.items():
        path = folder / name / "tokenizer.json"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            make().save(str(path))
        yield name, path, Tokenizer.from_file(str(path))


def meno(path, texts, *options):
    lines = folder / "texts.jsonl"
    lines.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    output = subprocess.run(
        [root / "meno", "tokenize", "--model", path, "--file", lines, *options], capture_output=True, check=True).stdout
    return [json.loads(line) for line in output.decode().strip("\n").split("\n")]


def speed():
    texts = ["\n".join(d) for d in dialogues]
    for name, path, tokenizer in save():
        times = []
        for _ in range(5):
            ours = meno(path, texts, "--count")[0]
            start = time.perf_counter()
            count = sum(len(tokenizer.encode(t, add_special_tokens=False).ids) for t in texts)
            times.append((ours["seconds"], time.perf_counter() - start))
            assert ours["tokens"] == count
        ours, theirs = (statistics.median(t[i] for t in times) for i in (0, 1))
        print(f"{name}: {count} tokens; here {ours:.3f} s, tokenizers {theirs:.3f} s; {theirs / ours:.2f} times as fast")


if sys.argv[4:] == ["speed"]:
    sys.exit(speed())
status = 0
for name, path, tokenizer in save():
    texts = ["\n".join(d) for d in dialogues[:200]] + nasty + random_texts(2000)
    ours = [line["ids"] for line in meno(path, texts, "--json")]
    theirs = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    different = [t for t, a, b in zip(texts, ours, theirs) if a != b]
    print(f"{name}: {len(texts)} texts, {sum(map(len, theirs))} tokens, {len(different)} texts differ")
    for text in different[:5]:
        print("  ", ascii(text))
    status |= bool(different)
sys.exit(status)
