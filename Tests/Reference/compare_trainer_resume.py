"""Shows that Trainer resumes from Meno's checkpoints: the adapter (or model), the step and the log go on, and what it saves
in its turn is whole. Its optimizer starts fresh: Meno's is in safetensors, which Trainer does not look for.

    python Tests/Reference/compare_trainer_resume.py [MENO]        (default: ./meno)
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments

root = pathlib.Path(__file__).resolve().parents[2]
meno = sys.argv[1] if len(sys.argv) > 1 else str(root / "meno")
fixture = root / "Tests/Reference/fixtures/models/llama-untied"


def base_model(folder):
    """The tiny model with a tokenizer of single characters."""
    shutil.copytree(fixture, folder)
    vocabulary = {token: index for index, token in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ,.?"])}
    special = [{"id": index, "content": token, "special": True} for token, index in vocabulary.items() if token.startswith("<")]
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": special, "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}))


class Recorder(TrainerCallback):
    """The weights and the step that the first step begins with."""

    def __init__(self):
        self.first = None

    def on_step_begin(self, args, state, control, model=None, **_):
        if self.first is None:
            self.first = state.global_step
            self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}


def check(what, condition, found=""):
    print(f"  {'ok  ' if condition else 'FAIL'} {what} {found}", flush=True)
    return condition


def compare(kind, folder):
    base, run = folder / "base", folder / kind
    if not base.exists():
        base_model(base)
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps({"text": f"what is virtue, {word}?"}) + "\n" for word in "meno can it be taught or not at all".split()))
    lora = "{r: 4, lora_alpha: 8, lora_dropout: 0, target_modules: [q_proj, v_proj]}" if kind == "adapter" else "null"
    (folder / "run.yaml").write_text(f"""
base_output_dir: {run}
model: {{name_or_path: {base}, dtype: float32, device: cpu}}
data: {{path: {data}, max_length: 32, train_fraction: 0.75}}
lora: {lora}
training: {{max_steps: 8, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, learning_rate: 1.0e-2, warmup_steps: 1,
           logging_steps: 1, save_steps: 4, eval_steps: 4, metric_for_best_model: eval_loss, load_best_model_at_end: false}}
monitor: null
""")
    subprocess.run([meno, "train", folder / "run.yaml", "--quiet"], check=True)
    checkpoint = run / "model/checkpoint-4"
    state = json.loads((checkpoint / "trainer_state.json").read_text())

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if kind == "adapter":
        model = get_peft_model(model, LoraConfig(
            r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    ids = torch.arange(4, 24)
    recorder = Recorder()
    trainer = Trainer(
        model=model, train_dataset=[{"input_ids": ids, "labels": ids}] * 6, eval_dataset=[{"input_ids": ids, "labels": ids}] * 2,
        callbacks=[recorder, EarlyStoppingCallback(early_stopping_patience=9)],
        args=TrainingArguments(
            output_dir=folder / f"{kind}-trainer", max_steps=8, per_device_train_batch_size=2, learning_rate=1e-2, logging_steps=1,
            save_steps=4, eval_strategy="steps", eval_steps=4, metric_for_best_model="eval_loss", load_best_model_at_end=False,
            report_to=[], use_cpu=True, disable_tqdm=True))
    trainer.train(resume_from_checkpoint=str(checkpoint))

    saved = load_file(checkpoint / ("adapter_model.safetensors" if kind == "adapter" else "model.safetensors"))
    equal = all(any(torch.equal(value, own) for name, own in recorder.weights.items()
                    if name.replace(".default", "") == saved_name) for saved_name, value in saved.items())
    history = trainer.state.log_history
    new = json.loads((folder / f"{kind}-trainer/checkpoint-8/trainer_state.json").read_text())
    keys = {"loss", "grad_norm", "learning_rate", "epoch", "step"}
    print(f"{kind}:")
    return all([
        check("the first step is the one after the checkpoint's", recorder.first == 4, f"({recorder.first + 1})"),
        check("its weights are the checkpoint's", equal, f"({len(saved)} tensors)"),
        check("the log goes on", history[:len(state["log_history"])] == state["log_history"]
              and [entry["step"] for entry in history if "loss" in entry] == list(range(1, 9))),
        check("a line of the log has Trainer's names", all(keys <= entry.keys() for entry in state["log_history"] if "loss" in entry)),
        check("the best so far is known", state["best_metric"] == state["log_history"][-1]["eval_loss"]
              and trainer.state.best_metric <= state["best_metric"]),
        check("what Trainer saves is whole", new["global_step"] == 8 and "TrainerControl" in new["stateful_callbacks"]
              and bool(new["stateful_callbacks"]["EarlyStoppingCallback"])),
    ])


with tempfile.TemporaryDirectory() as folder:
    results = [compare(kind, pathlib.Path(folder)) for kind in ("adapter", "model")]
sys.exit(0 if all(results) else 1)
