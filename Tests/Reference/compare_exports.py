"""Compares exports with the programs that they are for: llama.cpp and transformers must answer as the trained model does.

    python Tests/Reference/compare_exports.py MENO FOLDER_OF_GGUF_FILES WORK [--prompts 30] [--models smollm2,gemma,tiny] [--forms …]

MENO is the built program. For SmolLM2 135M and Gemma 3 270M with a trained adapter, and for tiny random models of each architecture:
  every GGUF file and every adapter is loaded by llama.cpp (from the xllamacpp package), and answers greedily;
  in F32, with keys and values in F32 and without flash attention, llama.cpp, transformers and Meno give the same 32 tokens;
  in F16 they are the same up to the first token whose two best differ by less than 0.02;
  for all forms the Kullback-Leibler divergence of the first token from F32's is shown, with bytes, seconds and memory.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import torch
import xllamacpp
from gguf import GGUFReader
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import real_model  # noqa: E402

FORMS = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "base", "lora"]
TOKENS = 32
PROMPTS = [
    "What is courage?", "Is it ever right to lie?", "What is justice?", "Can virtue be taught?", "Why do we fear death?",
    "What do you know?", "Who is a friend?", "What makes a law good?", "Is pleasure the good?", "What is beauty?",
    "勇気とは何ですか。", "正義とは何ですか。", "徳は教えられますか。", "なぜ人は死を恐れるのですか。", "友とは誰ですか。",
    "幸福とは何ですか。", "知るとはどういうことですか。", "美しいとはどういうことですか。", "法に従うべきですか。", "善とは何ですか。",
    "Write a sentence about the sea.", "Name three colors.", "2 + 2 = ?", "Tell me a story.", "How does a bicycle stay up?",
    "What is the capital of Greece?", "Give me advice.", "Why is the sky blue?", "Explain gravity simply.", "Say hello.",
]


def run(*arguments):
    """Runs a program; its seconds and the most memory it had, in MiB."""
    start = time.time()
    process = subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = 0
    out, err = [], []
    while True:
        try:
            out, err = process.communicate(timeout=0.02)
            break
        except subprocess.TimeoutExpired:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, int(next(l for l in status.splitlines() if l.startswith("VmHWM")).split()[1]) >> 10)
            except (OSError, StopIteration):
                pass
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))}\n{err}")
    return out, err, time.time() - start, peak


def llama_cpp(file, lora, prompts, chat):
    """The tokens that llama.cpp gives, the gap between the two best of each, and the first token's distribution."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx, parameters.n_parallel, parameters.warmup = 1024, 1, False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(os.environ.get("OMP_NUM_THREADS", 2))
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.verbosity = -1
    parameters.use_jinja = True
    if lora:
        adapter = xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)
        parameters.lora_adapters = [adapter]
    server = xllamacpp.Server(parameters)
    answers = []
    for prompt in prompts:
        request = {"temperature": 0, "max_tokens": TOKENS, "logprobs": True, "top_logprobs": 200, "cache_prompt": False}
        if chat:
            reply = server.handle_chat_completions(request | {"messages": [{"role": "user", "content": prompt}]})
        else:
            reply = server.handle_completions(request | {"prompt": prompt, "n_predict": TOKENS, "n_probs": 200, "logprobs": 200})
        if "choices" not in reply:
            raise SystemExit(f"llama.cpp: {reply}")
        steps = reply["choices"][0]["logprobs"]["content"]
        top = lambda step: {entry["id"]: entry["logprob"] for entry in step["top_logprobs"]}
        gaps = [(lambda v: v[0] - v[1])(sorted(top(step).values(), reverse=True)[:2]) for step in steps]
        answers.append({"ids": [step["id"] for step in steps], "gaps": gaps, "first": top(steps[0])})
    return answers


def divergence(reference, other):
    """KL of the first token of each answer, over the reference's most probable ones."""
    total = 0.0
    for a, b in zip(reference, other):
        floor = min(b["first"].values())
        total += sum(2.718281828459045 ** p * (p - b["first"].get(token, floor)) for token, p in a["first"].items())
    return total / len(reference)


def template_of(file):
    """The chat template that a GGUF file holds."""
    field = GGUFReader(file).get_field("tokenizer.chat_template")
    return field.contents() if field else None


def transformers_answers(folder, prompts, chat, ends, template):
    tokenizer = AutoTokenizer.from_pretrained(folder) if chat else None
    if chat and tokenizer.chat_template is None:
        tokenizer.chat_template = template
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    answers = []
    for prompt in prompts:
        if chat:
            ids = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True).input_ids
        else:
            ids = torch.tensor([prompt])
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False,
                                 eos_token_id=list(ends) or None, pad_token_id=0)
        answers.append([token for token in out[0, ids.shape[1]:].tolist() if token not in ends])
    return answers


def same(a, b, gaps, tolerance):
    """Whether two answers are the same, up to the first token whose two best are closer than the tolerance."""
    for index in range(max(len(a), len(b))):
        x, y = a[index] if index < len(a) else None, b[index] if index < len(b) else None
        if x != y:
            return tolerance > 0 and index < len(gaps) and gaps[index] < tolerance
    return True


def real(meno, model, work, prompts, forms):
    """A line for each form of a real model."""
    name = model.stem
    adapter = work / f"{name}-adapter"
    if not adapter.exists():
        peft = real_model.adapted(real_model.load(model))
        peft.save_pretrained(adapter)
        del peft
    # What transformers reads: the merged folder, made from transformers' own copy of the model.
    hugging_face = work / f"{name}-hf"
    if not hugging_face.exists():
        merged = PeftModel.from_pretrained(real_model.load(model), adapter).merge_and_unload()
        merged.save_pretrained(hugging_face)
        AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name).save_pretrained(hugging_face)
    rows, reference = [], None
    for form in forms:
        out = work / f"{name}-{form}.gguf"
        out.unlink(missing_ok=True)
        kind = ["--format", "gguf-lora"] if form == "lora" else ["--format", "gguf"] + ([] if form == "base" else ["--quantize", form])
        _, notes, seconds, peak = run(
            meno, "export", "--model", model, "--adapter", adapter, "--to", out, "--no-verify", *kind)
        base = work / f"{name}-unadapted.gguf"
        if form == "lora" and not base.exists():  # llama.cpp's own rounding of products with four bits would be compared
            run(meno, "export", "--model", model, "--to", base, "--no-verify", "--format", "gguf", "--quantize", "F32")
        answers = llama_cpp(base if form == "lora" else out, out if form == "lora" else None, prompts, chat=True)
        row = {"model": name, "form": form, "bytes": out.stat().st_size, "seconds": round(seconds, 1), "MiB": peak}
        if form == "F32":
            reference = answers
            ends = end_tokens(hugging_face)
            theirs = transformers_answers(hugging_face, prompts, True, ends, template_of(out))
            ours = meno_answers(meno, model, adapter, prompts)
            row["transformers"] = sum(same(strip(a["ids"], ends), b, a["gaps"], 0) for a, b in zip(answers, theirs))
            row["meno"] = sum(a == b for a, b in zip(ours, texts(hugging_face, [strip(a["ids"], ends) for a in answers])))
        if reference:
            tolerance = 0.02 if form == "F16" else 0
            row["tokens equal"] = sum(same(b["ids"], a["ids"], b["gaps"], tolerance) for a, b in zip(answers, reference))
            row["KL"] = round(divergence(reference, answers), 6)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def end_tokens(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = ["<end_of_turn>", "<|im_end|>", "<|eot_id|>"]
    ids = {tokenizer.convert_tokens_to_ids(name) for name in names if name in tokenizer.get_vocab()}
    return ids | {tokenizer.eos_token_id}


def strip(ids, ends):
    return [token for token in ids if token not in ends]


def texts(folder, answers):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in answers]


def meno_answers(meno, model, adapter, prompts):
    answers = []
    for prompt in prompts:
        out, *_ = run(meno, "chat", "--model", model, "--adapter", adapter, "--dtype", "float32", "--prompt", prompt, "--temperature",
                      0, "--max-new-tokens", TOKENS)
        answers.append(out.strip())
    return answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("meno"), parser.add_argument("models", type=pathlib.Path), parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--prompts", type=int, default=30)
    parser.add_argument("--only", default="smollm2,gemma")
    parser.add_argument("--forms", default=",".join(FORMS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    files = {"smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma": "gemma-3-270m-q4_k_m.gguf"}
    for only in options.only.split(","):
        real(options.meno, options.models / files[only], options.work, PROMPTS[:options.prompts], options.forms.split(","))
