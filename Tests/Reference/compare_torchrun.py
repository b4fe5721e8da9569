"""Eight steps compared with Trainer under torchrun, with two Gloo processes each: LoRA in float32 on a tiny Gemma.

    PYTHON=python MENO=./meno python Tests/Reference/compare_torchrun.py
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(__file__).resolve().parents[2]
meno = os.environ.get("MENO", str(root / "meno"))
torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29533"]

if "RANK" in os.environ:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

    folder = pathlib.Path(sys.argv[1])
    rows = json.loads((folder / "rows.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="eager")
    model = PeftModel.from_pretrained(model, folder / "adapter", is_trainable=True)

    def collate(batch):
        length = max(len(row["input_ids"]) for row in batch)
        pad = lambda row, value: row + [value] * (length - len(row))
        return {"input_ids": torch.tensor([pad(r["input_ids"], 0) for r in batch]),
                "attention_mask": torch.tensor([pad([1] * len(r["input_ids"]), 0) for r in batch]),
                "labels": torch.tensor([pad(r["input_ids"], -100) for r in batch])}

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"), max_steps=8, per_device_train_batch_size=2, gradient_accumulation_steps=2,
        learning_rate=2e-3, lr_scheduler_type="constant", weight_decay=0.01, max_grad_norm=1.0, logging_steps=1, save_strategy="no",
        report_to=[], use_cpu=True, ddp_backend="gloo", remove_unused_columns=False, average_tokens_across_devices=True,
        dataloader_num_workers=0, disable_tqdm=True)

    class InOrder(Trainer):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

    trainer = InOrder(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    start = time.monotonic()
    trainer.train()
    if os.environ["RANK"] == "0":
        log = [entry for entry in trainer.state.log_history if "loss" in entry]
        (folder / "trainer.json").write_text(json.dumps({"log": log, "seconds": (time.monotonic() - start) / 8}))
    sys.exit()

folder = pathlib.Path(tempfile.mkdtemp(prefix="meno-torchrun-"))
try:
    fixture = root / "Tests/Reference/fixtures/models/gemma3-tiny"
    shutil.copytree(fixture, folder / "model", ignore=shutil.ignore_patterns("adapter"))
    shutil.copytree(fixture / "adapter", folder / "adapter")
    vocabulary = {t: i for i, t in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ,.?"])}
    special = [{"id": i, "content": t, "special": True} for t, i in vocabulary.items() if t.startswith("<")]
    (folder / "model/tokenizer.json").write_text(json.dumps({
        "added_tokens": special, "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}))
    (folder / "model/tokenizer_config.json").write_text(
        json.dumps({"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}))
    words = "what is virtue and can it be taught socrates asks meno again".split()
    texts = [" ".join(words[(i * 5 + j * (j + i % 3)) % len(words)] for j in range(2 + i % 4)) for i in range(64)]
    (folder / "data.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    (folder / "run.yaml").write_text(f"""base_output_dir: {folder}/run
model: {{name_or_path: {folder}/model, device: cpu, dtype: float32}}
data: {{path: {folder}/data.jsonl, max_length: 64, shuffle: false, train_fraction: 1.0}}
lora: {{init_adapter: {folder}/adapter}}
training: {{max_steps: 8, per_device_train_batch_size: 4, gradient_accumulation_steps: 2, learning_rate: 2.0e-3,
           lr_scheduler_type: constant, weight_decay: 0.01, logging_steps: 1, eval_strategy: "no", save_strategy: "no", logical_shards: 2}}
monitor: null
""")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*torchrun, "--no-python", meno, "train", str(folder / "run.yaml")], env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"meno under torchrun: {result.stderr[-3000:]}")
    steps = [json.loads(line) for line in (folder / "run/training_progress/metrics.jsonl").read_text().splitlines()]
    steps = [s for s in steps if "loss" in s]
    # The ids as Meno makes them, in its order.
    tokens = subprocess.run([meno, "tokenize", "--model", str(folder / "model"), "--file", str(folder / "data.jsonl"), "--json"],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    ids = [json.loads(line)["ids"] for line in tokens]
    rows = [{"input_ids": [*row, 2]} for row in ids]
    # A step has eight examples: each of two processes takes two micro-batches of two.
    (folder / "rows.json").write_text(json.dumps(rows))
    result = subprocess.run([*torchrun, __file__, str(folder)], env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"Trainer under torchrun: {result.stderr[-3000:]}")
    reference = json.loads((folder / "trainer.json").read_text())
    worst = 0
    for index, (own, other) in enumerate(zip(steps, reference["log"])):
        loss, norm = abs(own["loss"] / other["loss"] - 1), abs(own["grad_norm"] / other["grad_norm"] - 1)
        worst = max(worst, loss, norm)
        print(f"step {index + 1}  loss {own['loss']:.7f} {other['loss']:.7f}  norm {own['grad_norm']:.7f} {other['grad_norm']:.7f}")
    events = [json.loads(line) for line in (folder / "run/training_progress/events.jsonl").read_text().splitlines()]
    seconds = re.findall(r'"seconds":([0-9.e-]+)', "\n".join(json.dumps(e, separators=(",", ":")) for e in events if "step" in e))
    print(f"largest relative difference {worst:.1e}; a step took {sum(map(float, seconds)) / max(1, len(seconds)) * 1000:.1f} ms here, "
          f"{reference['seconds'] * 1000:.1f} ms with Trainer")
    sys.exit(worst > 1e-5 or len(steps) != 8)
finally:
    shutil.rmtree(folder, ignore_errors=True)
