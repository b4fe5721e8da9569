"""Asks llama.cpp whether the GGUF files that Meno writes mean what transformers computes: log probabilities of the five likeliest
tokens after texts of random tiny models, one of each architecture, and variations of it.

    python Tests/Reference/compare_export_architectures.py MENO [NAME]... [--variations]

MENO is the built program. The file is then exported back into a Hugging Face folder, with a config.json made of the file's keys, and
transformers reads that. Prints a line for each model: `ok`, `DIFFERS`, `NOT LOADED` (both are errors), or what Meno refuses and why.
Models are the fixtures' (`make_models.py`); variations are drawn from their configurations.
"""
import argparse
import json
import multiprocessing
import pathlib
import shutil
import subprocess
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM

fixtures = pathlib.Path(__file__).parent / "fixtures/models"
LENGTHS = (5, 13, 27)
VARIATIONS = {
    "wide heads": lambda c: hasattr(c, "head_dim") and {"head_dim": 12},
    "other head": lambda c: {"tie_word_embeddings": not c.tie_word_embeddings},
    "a key for each query": lambda c: getattr(c, "num_key_value_heads", None) not in (None, c.num_attention_heads)
    and {"num_key_value_heads": c.num_attention_heads},
    "biases": lambda c: hasattr(c, "attention_bias") and {"attention_bias": True},
    "block biases": lambda c: hasattr(c, "mlp_bias") and {"mlp_bias": True},
    "llama3": lambda c: rope(c, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                             original_max_position_embeddings=16),
    "linear": lambda c: rope(c, rope_type="linear", factor=2.0),
    "yarn": lambda c: rope(c, rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
}


def rope(config, **scaling):
    parameters = getattr(config, "rope_parameters", None) or {}
    if "rope_theta" not in parameters or parameters["rope_type"] not in ("default",):
        return False
    return {"rope_parameters": {**parameters, **scaling}}


def tokenizer(rows):
    """The smallest tokenizer that a GGUF file can hold."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"t{index}": index for index in range(3, rows)}
    added = [{"id": id, "content": name, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
             for name, id in list(vocabulary.items())[:3]]
    return {"version": "1.0", "added_tokens": added, "normalizer": {"type": "Prepend", "prepend": "\u2581"}, "pre_tokenizer": None,
            "post_processor": None, "decoder": None,
            "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True, "vocab": vocabulary, "merges": []}}


def expected(model, sequences, limit):
    """Log probabilities after each text that llama.cpp computes as transformers does."""
    results = []
    with torch.no_grad():
        for sequence in sequences:
            if len(sequence) <= limit:
                model(torch.tensor([sequence[:3]]))  # a scaling by length keeps the frequencies of the longest text
                results.append((sequence, model(torch.tensor([sequence])).logits[0, -1].double().log_softmax(-1)))
    return results


def llama_cpp(file, sequences, queue):
    """In a process of its own, since llama.cpp may end it."""
    import xllamacpp
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.warmup, params.verbosity, params.cpuparams.n_threads = 64, False, -1, 1
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(params)
    answers = []
    for sequence in sequences:
        reply = server.handle_completions({"prompt": sequence, "max_tokens": 1, "temperature": 0.0, "logprobs": 5, "n_probs": 5,
                                           "cache_prompt": False})
        reply = json.loads(reply) if isinstance(reply, str) else reply
        answers.append([(e["id"], e["logprob"]) for e in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]])
    queue.put(answers)


def compare(meno, name, model, folder):
    config = model.config
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(config.vocab_size)))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}))
    out = folder / "out.gguf"
    out.unlink(missing_ok=True)
    export = subprocess.run([meno, "export", "--model", folder, "--to", out, "--format", "gguf", "--quantize", "F32", "--no-verify"],
                            capture_output=True, text=True)
    if export.returncode:
        return "refused: " + export.stderr.strip().splitlines()[-1]
    notes = [line for line in export.stderr.splitlines() if "window" in line or "rescaled" in line]
    generator = torch.Generator().manual_seed(3)
    sequences = [torch.randint(3, config.vocab_size, (length,), generator=generator).tolist() for length in LENGTHS]
    limit = min(getattr(config, "sliding_window", None) or 64, 24) if notes else 64
    parameters = getattr(config, "rope_parameters", None) or {}
    parameters = parameters.get("full_attention", parameters)
    cases = expected(model, sequences, limit)
    if parameters.get("rope_type") == "longrope":  # llama.cpp chooses the factors by the size of its context
        cases = [case for case in cases if len(case[0]) > config.original_max_position_embeddings]
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=llama_cpp, args=(out, [s for s, _ in cases], queue))
    process.start()
    process.join(60)
    if process.exitcode or not cases:
        return f"NOT LOADED ({process.exitcode})"
    worst = max(abs(logprob - reference[token].item())
                for answer, (_, reference) in zip(queue.get(), cases) for token, logprob in answer)
    # llama.cpp looks GELU up in a table in half precision.
    activation = next((getattr(config, key) for key in ("hidden_activation", "hidden_act", "activation_function") if hasattr(config, key)), "")
    bound = 5e-3 if activation in ("gelu_pytorch_tanh", "gelu_new") else 1e-3
    note = f", of {len(cases)} texts ({notes[0].strip()})" if notes else ""
    back, differs = returned(meno, out, folder / "back", cases)
    wrong = worst >= bound or differs
    return f"{'DIFFERS' if wrong else 'ok'}  worst difference of a log probability {worst:.1e}, {back}{note}"


def returned(meno, file, folder, cases):
    """What transformers computes with the folder that is exported from the GGUF file, and whether it differs."""
    export = subprocess.run([meno, "export", "--model", file, "--to", folder, "--dtype", "float32", "--no-verify"],
                            capture_output=True, text=True)
    if export.returncode:
        return "and back refused: " + export.stderr.strip().splitlines()[-1], False
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", experts_implementation="eager", dtype=torch.float32).eval()
    worst = max((a - b).abs().max().item() for (_, a), (_, b) in zip(cases, expected(model, [case[0] for case in cases], 64)))
    return f"and back {worst:.1e}", worst >= 1e-4


def random_model(config, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", experts_implementation="eager").float().eval()
    for name, parameter in model.named_parameters():
        if "norm" in name and not name.endswith("bias"):
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
        else:
            parameter.data.normal_(0, 0.3)
    return model


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("meno"), parser.add_argument("names", nargs="*"), parser.add_argument("--variations", action="store_true")
    options = parser.parse_args()
    wrong = 0
    for source in sorted(fixtures.iterdir()):
        if not (source / "config.json").exists() or options.names and source.name not in options.names:
            continue
        with tempfile.TemporaryDirectory() as work:
            folder = pathlib.Path(work) / "model"
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.gguf", "adapter", "expected.*"))
            models = [("", AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", experts_implementation="eager").float().eval(), folder)]
            for variation, change in VARIATIONS.items() if options.variations else ():
                config = AutoConfig.from_pretrained(source)
                changes = change(config)
                if not changes:
                    continue
                for key, value in changes.items():
                    setattr(config, key, value)
                try:
                    model = random_model(config, 1)
                except (ValueError, RuntimeError, AssertionError) as error:
                    print(f"{source.name}, {variation}: transformers has none ({str(error).splitlines()[0]})")
                    continue
                place = pathlib.Path(work) / variation.replace(" ", "-")
                model.save_pretrained(place)
                models.append((variation, model, place))
            for variation, model, place in models:
                result = compare(options.meno, source.name, model, place)
                wrong += result.startswith(("DIFFERS", "NOT"))
                print(f"{source.name + (', ' + variation if variation else ''):36} {result}", flush=True)
    raise SystemExit(wrong and f"{wrong} models are not what transformers computes")
