"""Hugging Face's side of Benchmarks/tokenizing.

    peer.py make GGUF TOKENIZER.json     writes the tokenizer of a GGUF file of SmolLM2 or Gemma 3
    peer.py encode TOKENIZER.json TEXTS.jsonl THREADS     prints {"tokens": …, "seconds": …}
"""
import json
import os
import pathlib
import sys
import time

command, first, second, *rest = sys.argv[1:]
if rest:
    os.environ["RAYON_NUM_THREADS"] = rest[0]
    os.environ["TOKENIZERS_PARALLELISM"] = "true"

if command == "make":
    path = pathlib.Path(first)
    if "smollm" in path.name.lower():
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests/Reference"))
        from smollm2_tokenizer import smollm2_tokenizer
        tokenizer = smollm2_tokenizer(first)
    else:
        from transformers import AutoTokenizer
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).backend_tokenizer
    tokenizer.save(second)
else:
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(first)
    texts = [json.loads(line)["text"] for line in open(second)]
    start = time.perf_counter()
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False))
    print(json.dumps({"tokens": tokens, "seconds": time.perf_counter() - start}))
