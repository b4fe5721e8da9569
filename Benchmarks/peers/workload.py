"""Writes the inputs of all variants: the model as a Hugging Face folder, the dialogues, their ids, the initial adapter.

    python workload.py SPECIFICATION.json

Run in the peers' environment, in a process of its own. The specification: `folder` (where it is written), `model_folder`, `gguf`
(weights and tokenizer) and perhaps `shape` (random weights of a configuration instead), `data`, `length`, `batch`, `steps`,
`evaluation`, `dropout`, `instructions`.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests/Reference"))

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3TextConfig, LlamaConfig, PreTrainedTokenizerFast

from real_model import adapted, encoder, is_gemma, load
from smollm2_tokenizer import smollm2_tokenizer

# Random weights in the shapes of published models; (layers, hidden, intermediate, heads, key-value heads, size of a head).
SHAPES = {
    "llama-135m": ("llama", 30, 576, 1536, 9, 3, 64),
    "llama-360m": ("llama", 32, 960, 2560, 15, 5, 64),
    "llama-1b": ("llama", 16, 2048, 8192, 32, 8, 64),
    "llama-2b": ("llama", 24, 2048, 8192, 32, 32, 64),
    "llama-3b": ("llama", 28, 3072, 8192, 24, 8, 128),
    "gemma-270m": ("gemma", 18, 640, 2048, 4, 1, 256),
    "gemma-1b": ("gemma", 26, 1152, 6912, 4, 1, 256),
    "gemma-2b": ("gemma", 26, 2048, 8192, 8, 4, 256),
}


def tokenizer_of(gguf):
    if is_gemma(gguf):
        return AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    return PreTrainedTokenizerFast(
        tokenizer_object=smollm2_tokenizer(gguf), bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>")


def random_model(shape, vocabulary):
    family, layers, hidden, intermediate, heads, key_value_heads, head = SHAPES[shape]
    common = dict(vocab_size=vocabulary, num_hidden_layers=layers, hidden_size=hidden, intermediate_size=intermediate,
                  num_attention_heads=heads, num_key_value_heads=key_value_heads, head_dim=head, max_position_embeddings=8192,
                  tie_word_embeddings=True)
    if family == "gemma":
        config = Gemma3TextConfig(**common, query_pre_attn_scalar=head, sliding_window=512)
    else:
        config = LlamaConfig(**common, rms_norm_eps=1e-5)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)


def write_model(folder, gguf, shape):
    """The folder that Meno and the peers load. The counts of its parameters are saved next to it."""
    counts = folder / "counts.json"
    if counts.exists():
        return json.loads(counts.read_text())
    tokenizer = tokenizer_of(gguf)
    # Random weights are rounded to bfloat16, so that the file is half as long; the dequantised ones are kept as they are.
    model = random_model(shape, len(tokenizer)) if shape else load(gguf)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    linear = sum(module.weight.numel() for name, module in model.named_modules()
                 if isinstance(module, torch.nn.Linear) and name != "lm_head")
    result = {"linear": linear, "hidden": model.config.hidden_size, "vocabulary": model.config.vocab_size,
              "parameters": sum(parameter.numel() for parameter in model.parameters()),
              "layers": model.config.num_hidden_layers}
    counts.write_text(json.dumps(result))
    return result


def write_adapter(folder, model_folder, dropout):
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    adapted(model, dropout=dropout).save_pretrained(folder)


def examples(dialogues, encode, length, join):
    """Dialogues and their ids, truncated to `length`; with `join`, concatenated until they have that length."""
    messages = []
    for dialogue in dialogues:
        messages = messages + dialogue["messages"]
        ids = encode(messages)
        if join and len(ids) < length:
            continue
        yield {"messages": messages}, ids[:length]
        messages = []


def instructed(dialogue, instructions):
    """The dialogue with instructions before its first question."""
    first, *others = dialogue["messages"]
    return {"messages": [{**first, "content": f"{instructions}\n\n{first['content']}"}, *others]}


def main(specification):
    folder, gguf = pathlib.Path(specification["folder"]), pathlib.Path(specification["gguf"])
    model_folder = pathlib.Path(specification["model_folder"])
    for each in (folder, model_folder):
        each.mkdir(parents=True, exist_ok=True)
    counts = write_model(model_folder, gguf, specification.get("shape"))
    write_adapter(folder / "initial", model_folder, specification["dropout"])
    needed = specification["batch"] * specification["steps"] + specification["evaluation"]
    # Over and over where the file is shorter than what is asked for: the time of a step does not depend on what is new.
    dialogues = json.load(open(specification["data"])) if specification["data"].endswith(".json") else [
        json.loads(line) for line in open(specification["data"])]

    def endless():
        while True:
            yield from dialogues

    if instructions := specification["instructions"]:
        dialogues = [instructed(dialogue, instructions) for dialogue in dialogues]
    # A dialogue has about 130 tokens; what is longer than the notebook's 256 must be joined to.
    join = specification["length"] != 256 and not instructions
    source = examples(endless(), encoder(gguf), specification["length"], join)
    chosen = [next(source) for _ in range(needed)]
    split = specification["batch"] * specification["steps"]
    for name, part in (("train", chosen[:split]), ("evaluation", chosen[split:])):
        (folder / f"{name}.json").write_text(json.dumps([record for record, _ in part], ensure_ascii=False))
    ids = [each for _, each in chosen]
    (folder / "ids.json").write_text(json.dumps({"train": ids[:split], "evaluation": ids[split:]}))
    (folder / "workload.json").write_text(json.dumps({
        **counts, "template": "gemma" if is_gemma(gguf) else "chatml", "lengths": [len(each) for each in ids[:split]],
        "evaluation_lengths": [len(each) for each in ids[split:]]}))


if __name__ == "__main__":
    main(json.loads(pathlib.Path(sys.argv[1]).read_text()))
