"""Compares `meno` with transformers and PEFT on a real model, in float32, and prints how far they are apart.

    python Tests/Reference/compare_real_models.py MODEL.gguf DIALOGUES.json FOLDER [evaluate|train]

evaluate: the mean loss of 30 dialogues by `meno evaluate` and by transformers on the same dequantised weights.
train: eight optimizer steps of 2 x 8 dialogues from the same initial adapter by `meno train` and by Trainer + PEFT (no
dropout, no shuffling; the collator masks padding by its place), how far the first of them is from float64 in either, then the
final adapter of `meno` in PEFT.
The environment variable MENO names another program than `./meno`. Ends with status 1 where a difference is above the tolerance.
"""
import json
import os
import pathlib
import subprocess
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainingArguments

from real_model import InOrder, adapted, collate, encoder, load, template

program = os.environ.get("MENO", str(pathlib.Path(__file__).parents[2] / "meno"))
path, data, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
parts = sys.argv[4:] or ["evaluate", "train"]
out.mkdir(parents=True, exist_ok=True)
dialogues = json.load(open(data))
failed = False


def meno(*arguments):
    result = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"meno {arguments[0]} ended with {result.returncode}")
    return result.stdout


def report(what, ours, theirs, tolerance):
    global failed
    difference = abs(ours - theirs) / max(abs(theirs), 1e-12)
    failed |= not difference <= tolerance
    print(f"{what}: ours {ours:.8g}, theirs {theirs:.8g}, relative difference {difference:.2e} (at most {tolerance:g})", flush=True)


def losses(model, rows):
    """For each row its labels and the sum of their negative log-likelihoods."""
    results = []
    with torch.no_grad():
        for ids in rows:
            logits = model(torch.tensor([ids])).logits[0, :-1]
            nll = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum")
            results.append((len(ids) - 1, nll.item()))
    return results


def exact_step(rows):
    """Loss and gradient norm of a first step on these rows, by PEFT in float64 (but for norms, which transformers casts)."""
    model = PeftModel.from_pretrained(load(path), out / "initial", is_trainable=True).double()
    labels, total = sum(len(ids) - 1 for ids in rows), 0.0
    for ids in rows:
        logits = model(torch.tensor([ids])).logits[0, :-1]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum") / labels
        loss.backward()
        total += loss.item()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return total, sum(g.square().sum().item() for g in gradients) ** 0.5


encode = encoder(path)

if "evaluate" in parts:
    chosen = dialogues[:30]
    (out / "thirty.json").write_text(json.dumps(chosen))
    ours = json.loads(meno(
        "evaluate", "--model", path, "--data", out / "thirty.json", "--dtype", "float32", "--chat-template", template(path), "--json"))
    theirs = losses(load(path).eval(), [encode(d["messages"]) for d in chosen])
    assert [r["tokens"] for r in ours["rows"]] == [r[0] for r in theirs]
    report("mean loss of 30 dialogues", ours["loss"], sum(r[1] for r in theirs) / sum(r[0] for r in theirs), 1e-4)
    worst = max(abs(a["nll"] - b[1]) / b[1] for a, b in zip(ours["rows"], theirs))
    print(f"largest relative difference of a dialogue's loss: {worst:.2e}", flush=True)

if "train" in parts:
    chosen = dialogues[:128]
    (out / "train.json").write_text(json.dumps(chosen))
    model = adapted(load(path))
    model.save_pretrained(out / "initial")

    rates = []

    class Rates(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, optimizer=None, **_):
            rates.append(optimizer.param_groups[0]["lr"])

    trainer = InOrder(
        model=model, data_collator=collate, callbacks=[Rates()],
        train_dataset=[{"input_ids": encode(d["messages"])[:256]} for d in chosen],
        args=TrainingArguments(
            output_dir=out / "trainer", max_steps=8, per_device_train_batch_size=2, gradient_accumulation_steps=8,
            learning_rate=2e-4, weight_decay=0.01, warmup_steps=2, lr_scheduler_type="cosine", max_grad_norm=1.0,
            logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True, remove_unused_columns=False,
            gradient_checkpointing=False, optim="adamw_torch"))
    trainer.train()
    history = [h for h in trainer.state.log_history if "loss" in h]
    theirs = losses(model.eval(), [encode(d["messages"])[:256] for d in chosen[:8]])
    probe = torch.tensor([encode(chosen[0]["messages"])[:256]])
    with torch.no_grad():
        logits = model(probe).logits

    (out / "run.yaml").write_text(f"""
base_output_dir: {out}/meno
model: {{name_or_path: {path}, dtype: float32, device: cpu}}
data: {{path: {out}/train.json, chat_template: {template(path)}, max_length: 256, train_fraction: 1.0, shuffle: false, max_eval_samples: 0}}
lora: {{init_adapter: {out}/initial}}
training: {{max_steps: 8, learning_rate: 2.0e-4, warmup_steps: 2, eval_strategy: "no", logging_steps: 1, gradient_checkpointing: false}}
""")
    meno("train", out / "run.yaml", "--overwrite")
    events = [json.loads(line) for line in open(out / "meno/training_progress/metrics.jsonl")]
    steps = [e for e in events if "loss" in e]
    assert len(steps) == len(history) == 8
    for ours, their, rate in zip(steps, history, rates):
        report(f"step {ours['step']} loss", ours["loss"], their["loss"], 1e-3)
        report(f"step {ours['step']} gradient norm", ours["grad_norm"], their["grad_norm"], 1e-3)
        report(f"step {ours['step']} learning rate", ours["learning_rate"], rate, 1e-9)

    del trainer, model
    for key, exact in zip(("loss", "grad_norm"), exact_step([encode(d["messages"])[:256] for d in chosen[:16]])):
        ours, theirs = (abs(run[0][key] - exact) / exact for run in (steps, history))
        print(f"step 1 {key} in float64: {exact:.8g}, from it ours {ours:.2e}, theirs {theirs:.2e}", flush=True)
    loaded = PeftModel.from_pretrained(load(path), out / "meno/model").eval()
    with torch.no_grad():
        with_ours = loaded(probe).logits
    difference = (with_ours - logits).abs().max().item()
    print(f"logits of PEFT with our final adapter and with Trainer's: at most {difference:.2e} apart", flush=True)
    (out / "one.json").write_text(json.dumps(chosen[:1]))
    meno("evaluate", "--model", path, "--adapter", out / "meno/model", "--data", out / "one.json", "--dtype", "float32",
         "--max-length", 256, "--logits", out / "logits.safetensors")
    ours = load_file(out / "logits.safetensors")["logits"]
    difference = (ours - with_ours[0]).abs().max().item()
    print(f"logits here and in PEFT with our final adapter: at most {difference:.2e} apart, of {with_ours.abs().max():.1f} "
          "(at most 1e-3)", flush=True)
    failed |= not difference <= 1e-3
    (out / "eight.json").write_text(json.dumps(chosen[:8]))
    ours = json.loads(meno("evaluate", "--model", path, "--adapter", out / "meno/model", "--data", out / "eight.json",
                           "--dtype", "float32", "--max-length", 256, "--json"))
    again = losses(loaded, [encode(d["messages"])[:256] for d in chosen[:8]])
    report("loss of 8 dialogues with our adapter, ours and PEFT's", ours["loss"], sum(r[1] for r in again) / sum(r[0] for r in again), 1e-4)

sys.exit(failed)
