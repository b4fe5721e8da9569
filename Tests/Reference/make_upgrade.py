"""Runs that an older version began: fixtures/upgrade, which UpgradeTests resumes with the version at hand.

    python Tests/Reference/make_upgrade.py [PROGRAM]      .build/debug/meno unless given

Do not make it again with a later version: it was made with commit bca08f7, and that is what it is for. A folder of a later
version belongs beside it, under another name. Python's standard library is enough.

Each run is what a kill in its fifth step leaves: the checkpoint of step 4, and a metrics.jsonl that is a line ahead of it.
`expected` has what the same version made of it without the kill. Paths are relative, as the model's name is among the
settings that a checkpoint compares.
"""
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

repository = pathlib.Path(__file__).resolve().parents[2]
out = repository / "Tests/Reference/fixtures/upgrade"
program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else repository / ".build/debug/meno").resolve()
killed_in, saved_at, steps = 5, 4, 8

# Its own template is not the built-in one of its markers: it has a system turn where the dialogue has none.
TEMPLATE = """{% if messages[0].role != 'system' %}<|im_start|>system
you ask.<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def write_model(folder):
    """A Llama of one layer, with a token for each character."""
    folder.mkdir(parents=True)
    special = ["<pad>", "<bos>", "<eos>", "<unk>", "<|im_start|>", "<|im_end|>"]
    characters = "\nabcdefghijklmnopqrstuvwxyz ,.?"
    vocabulary = {token: index for index, token in enumerate([*special, *characters])}
    hidden, key_values, inner = 16, 8, 16
    configuration = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": len(vocabulary), "hidden_size": hidden,
        "intermediate_size": inner, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 8, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 128,
        "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "dtype": "float32"}
    layer = "model.layers.0."
    shapes = {
        "model.embed_tokens.weight": [len(vocabulary), hidden], layer + "input_layernorm.weight": [hidden],
        layer + "self_attn.q_proj.weight": [hidden, hidden], layer + "self_attn.k_proj.weight": [key_values, hidden],
        layer + "self_attn.v_proj.weight": [key_values, hidden], layer + "self_attn.o_proj.weight": [hidden, hidden],
        layer + "post_attention_layernorm.weight": [hidden], layer + "mlp.gate_proj.weight": [inner, hidden],
        layer + "mlp.up_proj.weight": [inner, hidden], layer + "mlp.down_proj.weight": [hidden, inner],
        "model.norm.weight": [hidden]}
    generator = random.Random(7)
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = [1.0 if len(shape) == 1 else generator.gauss(0, 0.3) for _ in range(count)]
        start, data = len(data), data + struct.pack(f"<{count}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    tokenizer = {
        "added_tokens": [{"id": vocabulary[token], "content": token, "special": True} for token in special],
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}
    settings = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "chat_template": TEMPLATE}
    for name, value in [("config", configuration), ("tokenizer", tokenizer), ("tokenizer_config", settings)]:
        (folder / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


def write_data(folder):
    words = "what is virtue and can it be taught socrates asks meno again".split()
    sentence = lambda line: " ".join(words[(line * 5 + k * (k + line % 3)) % len(words)] for k in range(4)) + "?"
    turns = lambda line: [{"role": "user", "content": sentence(line)}, {"role": "assistant", "content": sentence(line + 3)}]
    write = lambda name, records: (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    write("texts.jsonl", [{"text": sentence(line)} for line in range(20)])
    write("dialogues.jsonl", [{"messages": turns(line)} for line in range(20)])


RUNS = {
    # Without dropout: what is computed does not depend on how random numbers are drawn.
    "chat": ("dialogues.jsonl, loss_on: completions", "{r: 2, lora_alpha: 4, lora_dropout: 0, target_modules: [q_proj, v_proj]}"),
    "dropout": ("texts.jsonl", "{r: 2, lora_alpha: 4, lora_dropout: 0.2, target_modules: all-linear}"),
    "full": ("texts.jsonl", "null"),
}


def configuration(name):
    data, lora = RUNS[name]
    return f"""base_output_dir: {name}
model: {{name_or_path: model, device: cpu}}
data: {{path: {data}, max_length: 96}}
lora: {lora}
training: {{max_steps: {steps}, eval_steps: 2, save_steps: 4, save_total_limit: null, per_device_train_batch_size: 2,
           gradient_accumulation_steps: 1, learning_rate: 5.0e-3, logging_steps: 1, bf16: false}}
monitor: {{window_size: 2, min_steps_between_checkpoints: 4, perplexity_threshold: 1000, eval_loss_variance_threshold: 5,
          grad_norm_bounds: [0, 100], max_stable_checkpoints: 2, probes: {{when: never}}}}
"""


def make(name, work):
    (work / "begin.yaml").write_text(configuration(name))
    subprocess.run([program, "train", "begin.yaml", "--quiet"], cwd=work, check=True,
                   env={**os.environ, "OMP_NUM_THREADS": "1"})
    run, target = work / name, out / name
    shutil.copytree(run / f"model/checkpoint-{saved_at}", target / f"model/checkpoint-{saved_at}")
    if name == "chat":
        shutil.copytree(run / f"model/stable_checkpoint-{saved_at}", target / f"model/stable_checkpoint-{saved_at}")
    shutil.copy(run / "run.yaml", target)
    lines = (run / "training_progress/metrics.jsonl").read_text().splitlines(keepends=True)
    (target / "training_progress").mkdir()
    known = [line for line in lines if json.loads(line)["step"] <= killed_in]
    (target / "training_progress/metrics.jsonl").write_text("".join(known))
    expected = target / "expected"
    expected.mkdir()
    (expected / "metrics.jsonl").write_text("".join(lines))
    weights = "model.safetensors" if name == "full" else "adapter_model.safetensors"
    shutil.copy(run / "model" / weights, expected)
    shutil.copy(run / f"model/checkpoint-{steps}/trainer_state.json", expected)


shutil.rmtree(out, ignore_errors=True)
out.mkdir(parents=True)
write_model(out / "model")
write_data(out)
with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    for name in ["model", "texts.jsonl", "dialogues.jsonl"]:
        (shutil.copytree if (out / name).is_dir() else shutil.copy)(out / name, work / name)
    for name in RUNS:
        make(name, work)
