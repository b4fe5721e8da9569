"""Compares exports with the programs that they are for: llama.cpp and transformers must answer as the trained model does.

    python Tests/Reference/compare_exports.py MENO FOLDER_OF_GGUF_FILES WORK [--prompts 30] [--rounded-prompts 30] [--only smollm2,gemma]
        [--forms …] [--table]

MENO is the built program. For SmolLM2 135M and Gemma 3 270M with a trained adapter, greedily from the same prompts by the template
that the export holds:
  F32   with keys and values in F32 and without flash attention, llama.cpp, transformers and Meno give the same 32 tokens (Gemma,
        whose GELU llama.cpp looks up in half precision, as F16);
  F16   the same up to the first token whose two best differ by less than 0.02;
  lora  on a base in F32, the same as F32;
  all   the mean Kullback-Leibler divergence from F32 at the tokens up to the first that differs, and of it what the weights alone
        cause (the same values decoded into an F32 file): the rest is that llama.cpp rounds activations to eight bits, or to
        bfloat16, before it multiplies them; the largest difference of a text's loss from the trained model's, by Meno (where the
        bounds of `ExportVerification` come from); bytes, seconds and memory.
What is done is kept in WORK: started again, the script goes on where it was. `--table` prints what is there.
`base` keeps the blocks of the base and gives F16 to what the adapter changes. `lora on base` is the adapter on the base as it was
trained, and `base alone` that base without an adapter beside its own values in F32: what llama.cpp loses by rounding activations to
eight bits before it multiplies them with blocks.
`compare_export_architectures.py` compares tiny models of every architecture.
"""
import argparse
import dataclasses
import json
import math
import pickle
import os
import pathlib
import subprocess
import sys
import time

import torch
import xllamacpp
import gguf
from gguf import GGUFReader
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import real_model  # noqa: E402

FORMS = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "base", "lora", "lora on base", "base alone", "safetensors"]
# Forms that answer as the trained model does.
EXACT = ["F32", "F16", "lora", "safetensors"]
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


@dataclasses.dataclass
class Answer:
    """Tokens in pieces of complete characters, as llama.cpp reports them: the last token of each piece, and all bytes."""
    pieces: list
    # Of each piece: how far apart the two best tokens are, the least of any of its tokens where those are known.
    gaps: list
    # Of the last token of each piece: the log probabilities of the likeliest.
    tops: list

    @property
    def text(self):
        return b"".join(part for _, part in self.pieces).decode(errors="ignore").strip()


def llama_cpp(file, lora, prompts):
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx, parameters.n_parallel, parameters.warmup = 1024, 1, False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(os.environ.get("OMP_NUM_THREADS", 2))
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.verbosity = -1
    parameters.use_jinja = True
    if lora:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
    server = xllamacpp.Server(parameters)
    answers = []
    for prompt in prompts:
        reply = server.handle_chat_completions({
            "temperature": 0, "max_tokens": TOKENS, "logprobs": True, "top_logprobs": 200, "cache_prompt": False,
            "messages": [{"role": "user", "content": prompt}]})
        if "choices" not in reply:
            raise SystemExit(f"llama.cpp: {reply}")
        steps = reply["choices"][0]["logprobs"]["content"]
        tops = [{entry["id"]: entry["logprob"] for entry in step["top_logprobs"]} for step in steps]
        best = [sorted(top.values(), reverse=True)[:2] for top in tops]
        pieces = [(step["id"], bytes(step["bytes"])) for step in steps]
        answers.append(Answer(pieces, [a - b for a, b in best], tops))
    return answers


def decoded(file, out):
    """The values of a GGUF file in a file of F32."""
    reader = GGUFReader(file)
    writer = gguf.GGUFWriter(out, reader.get_field("general.architecture").contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type", "general.quantization_version"):
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, field.contents())
        else:
            writer.add_key_value(key, field.contents(), field.types[0])
    for tensor in reader.tensors:
        values = tensor.data
        if tensor.tensor_type != gguf.GGMLQuantizationType.F32:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype("float32")
        writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def divergence(reference, other):
    """The mean KL divergence up to the first differing token. Tokens that are not among the likeliest of both count as one."""
    values = []
    for a, b in zip(reference, other):
        for index, (p, q) in enumerate(zip(a.tops, b.tops)):
            if a.pieces[:index] != b.pieces[:index]:
                break
            common = p.keys() & q.keys()
            rest = [max(1 - sum(math.exp(top[token]) for token in common), 1e-12) for top in (p, q)]
            values.append(sum(math.exp(p[token]) * (p[token] - q[token]) for token in common) + rest[0] * math.log(rest[0] / rest[1]))
    return sum(values) / len(values)


def token_bytes(tokenizer):
    """The bytes of a token."""
    # GPT-2 writes a byte as itself where that can be seen, and the others as characters from 256 on.
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    unicode_bytes = {chr(byte): byte for byte in visible} | {chr(256 + index): byte for index, byte in enumerate(hidden)}
    is_byte_level = "\u0120" in "".join(tokenizer.convert_ids_to_tokens(range(min(len(tokenizer), 2000))))

    control = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    turns = {"<start_of_turn>", "<end_of_turn>", "<|im_start|>", "<|im_end|>"} & tokenizer.get_vocab().keys()
    control |= set(tokenizer.convert_tokens_to_ids(list(turns)))

    def convert(token):
        name = tokenizer.convert_ids_to_tokens(token)
        # llama.cpp's report leaves out control tokens.
        if token in tokenizer.all_special_ids or token in control:
            return b""
        if is_byte_level and all(character in unicode_bytes for character in name):
            return bytes(unicode_bytes[character] for character in name)
        if len(name) == 6 and name.startswith("<0x"):
            return bytes([int(name[3:5], 16)])
        return name.replace("\u2581", " ").encode()
    return convert


def pieces_of(ids, gaps, convert):
    """Tokens in pieces of complete characters; an incomplete one at the end is left out."""
    pieces, least, pending, gap = [], [], b"", math.inf
    for token, distance in zip(ids, gaps):
        pending, gap = pending + convert(token), min(gap, distance)
        try:
            pending.decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                continue
        pieces.append((token, pending)), least.append(gap)
        pending, gap = b"", math.inf
    return pieces, least


def transformers_answers(folder, prompts, template):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    ends, convert = end_tokens(tokenizer), token_bytes(tokenizer)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    answers = []
    for prompt in prompts:
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True).input_ids
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False, pad_token_id=0,
                                 eos_token_id=list(ends), return_dict_in_generate=True, output_logits=True)
        best = [step[0].topk(2).values.tolist() for step in out.logits]
        given = [(token, a - b) for token, (a, b) in zip(out.sequences[0, ids.shape[1]:].tolist(), best) if token not in ends]
        answers.append(Answer(*pieces_of([g[0] for g in given], [g[1] for g in given], convert), tops=[]))
    return answers


def same(reference, answer, tolerance=0.0):
    """Whether two answers are the same, up to the first token whose two best are closer than the tolerance."""
    a, b = [piece for piece in reference.pieces if piece[1]], [piece for piece in answer.pieces if piece[1]]
    for index in range(max(len(a), len(b))):
        if a[index:index + 1] != b[index:index + 1]:
            return tolerance > 0 and index < len(reference.gaps) and reference.gaps[index] < tolerance
    return True


def end_tokens(tokenizer):
    names = ["<end_of_turn>", "<|im_end|>", "<|eot_id|>"]
    return {tokenizer.convert_tokens_to_ids(name) for name in names if name in tokenizer.get_vocab()} | {tokenizer.eos_token_id}


def template_of(file):
    """The chat template that a GGUF file holds."""
    field = GGUFReader(file).get_field("tokenizer.chat_template")
    return field.contents() if field else None


def meno_answers(meno, model, adapter, prompts):
    answers = []
    for prompt in prompts:
        out, *_ = run(meno, "chat", "--model", model, "--adapter", adapter, "--dtype", "float32", "--prompt", prompt, "--temperature",
                      0, "--max-new-tokens", TOKENS)
        answers.append(out.strip().rstrip("\ufffd").strip())
    return answers


RUN = """
base_output_dir: {run}
model: {{name_or_path: {model}, device: cpu}}
data: {{path: {data}, max_length: 96}}
lora: {{r: 8, lora_alpha: 16, target_modules: all-linear}}
training: {{max_steps: 12, learning_rate: 3.0e-3, per_device_train_batch_size: 1, gradient_accumulation_steps: 1, eval_strategy: "no"}}
monitor: null
"""


class Comparison:
    def __init__(self, meno, model, work, prompts, options):
        self.options = options
        self.meno, self.model, self.work, self.prompts, self.name = meno, model, work, prompts, model.stem
        # llama.cpp looks Gemma's GELU up in half precision, in every form.
        self.tolerance = 0.02 if "gemma" in self.name else 0
        self.adapter, self.folder = work / f"{self.name}-adapter", work / f"{self.name}-hf"
        self.data = pathlib.Path(__file__).parents[2] / "Examples/dialogues.jsonl"
        if not self.adapter.exists():
            configuration = work / f"{self.name}.yaml"
            configuration.write_text(RUN.format(run=work / f"{self.name}-run", model=model, data=self.data))
            run(meno, "train", configuration, "--overwrite", "--quiet")
            (work / f"{self.name}-run/model").rename(self.adapter)
        # What transformers reads: the merged folder, made from transformers' own copy of the model.
        if not self.folder.exists():
            PeftModel.from_pretrained(real_model.load(model), self.adapter).merge_and_unload().save_pretrained(self.folder)
            AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name).save_pretrained(self.folder)

    def kept(self, name, make):
        """The cached result, or a new one."""
        file = self.work / f"{self.name}-{name}.pickle"
        if not file.exists():
            made = make()
            part = file.with_suffix(".part")
            part.write_bytes(pickle.dumps(made))
            part.rename(file)
        return pickle.loads(file.read_bytes())

    @property
    def reference(self):
        """llama.cpp's answers with the F32 file."""
        return self.kept("F32-answers", lambda: llama_cpp(self.work / f"{self.name}-F32.gguf", None, self.prompts))

    @property
    def transformers(self):
        return self.kept("transformers", lambda: transformers_answers(
            self.folder, self.prompts, template_of(self.work / f"{self.name}-F32.gguf")))

    def export(self, out, *arguments, adapter=True):
        if not out.exists():
            run(self.meno, "export", "--model", self.model, *(["--adapter", self.adapter] if adapter else []), "--to", out,
                "--no-verify", *arguments)
        return out

    def losses(self, *model):
        """The loss of each text."""
        out, *_ = run(self.meno, "evaluate", "--data", self.data, "--dtype", "float32", "--max-samples", self.options.texts, "--max-length", 256, "--json", *model)
        return [row["nll"] / row["tokens"] for row in json.loads(out)["rows"]]

    def differences(self, form, out):
        trained = self.kept("losses", lambda: self.losses("--model", self.model, "--adapter", self.adapter))
        model = ["--model", self.model, "--adapter", out] if form == "lora" else ["--model", out]
        return max(abs(a - b) for a, b in zip(trained, self.losses(*model), strict=True))

    def row(self, form):
        return self.kept(form.replace(" ", "-"), lambda: self.measured(form))

    def measured(self, form):
        meno, work, name = self.meno, self.work, self.name
        row = {"model": name, "form": form}
        # Spread over both languages.
        few = len(self.prompts) if form in EXACT else self.options.rounded_prompts
        indices = list(range(0, len(self.prompts), max(1, len(self.prompts) // few)))[:few]
        prompts = [self.prompts[index] for index in indices]
        some = lambda answers: [answers[index] for index in indices]
        base = work / f"{name}-unadapted.gguf"
        if form == "base alone":
            self.export(base, "--format", "gguf", "--quantize", "F32", adapter=False)
            answers, reference = llama_cpp(self.model, None, prompts), llama_cpp(base, None, prompts)
            return row | {"of": len(prompts), "loads": "yes", "equal": sum(map(same, reference, answers)), "KL": divergence(reference, answers)}
        kinds = {"base": ["--format", "gguf"], "lora": ["--format", "gguf-lora"], "safetensors": ["--dtype", "float32"]}
        out = work / (f"{name}-{form}" + ("" if form == "safetensors" else ".gguf"))
        if form == "lora on base":
            out = work / f"{name}-lora.gguf"
        else:
            subprocess.run(["rm", "-rf", out], check=True)
            *_, row["seconds"], row["MiB"] = run(
                meno, "export", "--model", self.model, "--adapter", self.adapter, "--to", out, "--no-verify",
                *kinds.get(form, ["--format", "gguf", "--quantize", form]))
            row["bytes"] = sum(file.stat().st_size for file in ([out] if out.is_file() else out.iterdir()))
        if form == "safetensors":
            answers = transformers_answers(out, self.prompts, template_of(work / f"{name}-F32.gguf"))
            return row | {"of": len(prompts), "equal": sum(map(same, self.transformers, answers)),
                          "loss": self.differences(form, out)}
        if form.startswith("lora"):
            self.export(base, "--format", "gguf", "--quantize", "F32", adapter=False)
        answers = llama_cpp({"lora": base, "lora on base": self.model}.get(form, out), out if "lora" in form else None, prompts)
        row["loads"] = "yes"
        if form == "F32":
            self.kept("F32-answers", lambda: answers)
            ours = meno_answers(meno, self.model, self.adapter, self.prompts)
            row["transformers"] = sum(same(a, b, self.tolerance) for a, b in zip(self.transformers, answers))
            row["meno"] = sum(a.text.rstrip("\ufffd").strip() == b for a, b in zip(answers, ours))
        tolerance = 0.02 if form == "F16" else self.tolerance
        row["equal"] = sum(same(a, b, tolerance) for a, b in zip(some(self.transformers), answers))
        row["of"], row["KL"] = len(prompts), divergence(some(self.reference), answers)
        if form != "lora on base":
            row["loss"] = self.differences(form, out)
        if form not in ("F32", "base") and not form.startswith("lora"):
            exact = decoded(out, out.with_suffix(".decoded"))
            row["KL of weights"] = divergence(some(self.reference), llama_cpp(exact, None, prompts))
            exact.unlink()
        return row


def table(rows):
    """The rows in Markdown."""
    heads = ["model", "form", "loads in llama.cpp", "tokens equal", "KL", "KL of the weights alone", "largest difference of a loss", "bytes", "seconds", "peak MiB"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        extra = f" (transformers {row['transformers']}, Meno {row['meno']})" if "meno" in row else ""
        cells = [row["model"], row["form"], row.get("loads", ""), f"{row['equal']} / {row['of']}{extra}", f"{row['KL']:.6f}" if "KL" in row else "",
                 f"{row['KL of weights']:.6f}" if "KL of weights" in row else "",
                 f"{row['loss']:.5f}" if "loss" in row else "", f"{row['bytes']:,}" if "bytes" in row else "", f"{row['seconds']:.1f}" if "seconds" in row else "",
                 str(row.get("MiB", ""))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    parser = argparse.ArgumentParser()
    parser.add_argument("meno"), parser.add_argument("models", type=pathlib.Path), parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--prompts", type=int, default=30)
    parser.add_argument("--rounded-prompts", type=int, default=30, help="of the forms that need not answer the same")
    parser.add_argument("--texts", type=int, default=24, help="whose losses are compared")
    parser.add_argument("--only", default="smollm2,gemma")
    parser.add_argument("--forms", default=",".join(FORMS), help="F32 comes first")
    parser.add_argument("--table", action="store_true", help="print the rows that are in WORK")
    options = parser.parse_args()
    if options.table:
        files = sorted(options.work.glob("*.pickle"), key=lambda file: file.stat().st_mtime)
        print(table([row for row in map(lambda file: pickle.loads(file.read_bytes()), files) if isinstance(row, dict)]))
        raise SystemExit
    options.work.mkdir(parents=True, exist_ok=True)
    files = {"smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma": "gemma-3-270m-q4_k_m.gguf"}
    rows = []
    for only in options.only.split(","):
        comparison = Comparison(options.meno, options.models / files[only], options.work, PROMPTS[:options.prompts], options)
        for form in options.forms.split(","):
            rows.append(comparison.row(form))
            print(rows[-1], file=sys.stderr, flush=True)
    print(table(rows))
    wrong = [r for r in rows if r["form"] in EXACT
             and min(r["equal"], r.get("transformers", r["equal"]), r.get("meno", r["equal"])) < options.prompts]
    raise SystemExit(f"{len(wrong)} forms answer otherwise" if wrong else 0)
