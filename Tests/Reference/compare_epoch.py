"""One epoch of Gemma 3 270M over 1,600 dialogues in bf16, by `meno train` and by Trainer + PEFT as the seed sets it up:
held-out perplexity before and after, time and peak memory.

    python Tests/Reference/compare_epoch.py MODEL.gguf DIALOGUES.json FOLDER

The held-out 400 dialogues are evaluated by `meno evaluate` for both. Trainer takes about half an hour on two cores.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

root = pathlib.Path(__file__).parents[2]
program = os.environ.get("MENO", str(root / "meno"))
path, data, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
dialogues = json.load(open(data))
training, held_out = dialogues[:1600], dialogues[1600:2000]


def measured(command):
    """Runs a command; its seconds, its processor seconds and its peak resident memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(out / "log.txt", "a"))
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[:3]} ended with {status}; see {out}/log.txt")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def perplexity(adapter=None):
    arguments = ["--adapter", str(adapter)] if adapter else []
    output = subprocess.run([program, "evaluate", "--model", str(path), "--data", str(out / "held_out.json"), "--json",
                             "--max-length", "256", "--dtype", "float32", *arguments], check=True, capture_output=True)
    return json.loads(output.stdout)["perplexity"]


def train_theirs():
    # Imported here alone: the process that measures stays small, for what it holds would count towards its children's peak.
    from transformers import Trainer, TrainingArguments

    from real_model import adapted, collate, encoder, load
    encode = encoder(path)
    model = adapted(load(path), dropout=0.1, seed=42, noise_in_b=False)
    model.enable_input_require_grads()
    model.config.use_cache = False
    Trainer(
        model=model, data_collator=collate,
        train_dataset=[{"input_ids": encode(d["messages"])[:256]} for d in training],
        args=TrainingArguments(
            output_dir=out / "trainer", num_train_epochs=1, per_device_train_batch_size=2, gradient_accumulation_steps=8,
            learning_rate=2e-4, weight_decay=0.01, warmup_steps=10, lr_scheduler_type="cosine", max_grad_norm=1.0, bf16=True,
            gradient_checkpointing=True, logging_steps=10, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
            remove_unused_columns=False)).train()
    model.save_pretrained(out / "theirs")


if sys.argv[4:] == ["theirs"]:
    sys.exit(train_theirs())
(out / "training.json").write_text(json.dumps(training))
(out / "held_out.json").write_text(json.dumps(held_out))
(out / "run.yaml").write_text(f"""
base_output_dir: {out}/meno
model: {{name_or_path: {path}}}
data: {{path: {out}/training.json, train_fraction: 1.0, max_eval_samples: 0}}
training: {{num_train_epochs: 1, eval_strategy: "no", gradient_checkpointing: false}}
""")
print(f"before: perplexity {perplexity():.3f}", flush=True)
for name, command, adapter in [
    ("meno", [program, "train", str(out / "run.yaml"), "--overwrite"], out / "meno/model"),
    ("Trainer + PEFT", [sys.executable, *sys.argv[:4], "theirs"], out / "theirs"),
]:
    seconds, processor, memory = measured(command)
    print(f"{name}: {seconds:.0f} s ({processor:.0f} s of processor time), peak resident memory {memory:.0f} MiB, "
          f"perplexity {perplexity(adapter):.3f}", flush=True)
