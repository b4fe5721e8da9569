"""Evaluation of 50 dialogues on a real model: memory above the model's own and time, here and by Trainer with the notebook's
`compute_metrics` (corrected: labels shifted), which keeps every logit, on as many dialogues as memory holds.

    python Tests/Reference/compare_evaluation.py MODEL.gguf DIALOGUES.json FOLDER [COUNT...]

COUNT: how many dialogues Trainer is given, in turn; 4 8 16 unless said. MENO names another program than `./meno`.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

from processes import PeakMemory, evaluate_with_meno

program = os.environ.get("MENO", str(pathlib.Path(__file__).parents[2] / "meno"))
path, data, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
dialogues = json.load(open(data))


def ours(count, dtype):
    (out / "chosen.json").write_text(json.dumps(dialogues[:count]))
    return evaluate_with_meno(program, [
        "--model", path, "--data", out / "chosen.json", "--max-length", 256, "--dtype", dtype, "--max-samples", count])


def theirs(count):
    from transformers import Trainer, TrainingArguments

    from real_model import collate, compute_metrics, encoder, load
    encode = encoder(path)
    model = load(path)
    rows = [{"input_ids": encode(d["messages"])[:256]} for d in dialogues[:count]]
    trainer = Trainer(
        model=model, data_collator=collate, eval_dataset=rows, compute_metrics=compute_metrics,
        args=TrainingArguments(
            output_dir=out / "trainer", per_device_eval_batch_size=2, eval_accumulation_steps=4, bf16=True, bf16_full_eval=False,
            report_to=[], use_cpu=True, disable_tqdm=True, remove_unused_columns=False))
    with PeakMemory() as used:
        start = time.perf_counter()
        metrics = trainer.evaluate()
        seconds = time.perf_counter() - start
    print(f"Trainer, {count} dialogues: {seconds:.1f} s, {used.above:.0f} MiB above the model's own {used.before:.0f}; "
          f"loss {metrics['eval_shifted_loss']:.4f}", flush=True)


if sys.argv[4:5] == ["theirs"]:
    sys.exit(theirs(int(sys.argv[5])))
for count in [50, *map(int, sys.argv[4:] or [4, 8, 16])]:
    result, peak, own = ours(count, "bfloat16")
    print(f"Meno, {count} dialogues: {result['seconds']:.1f} s, {peak - own:.0f} MiB above the {own:.0f} when it began; "
          f"loss {result['loss']:.4f}, {result['tokens']} tokens", flush=True)
    if count == 50:
        continue
    code = subprocess.run([sys.executable, __file__, *sys.argv[1:4], "theirs", str(count)], stderr=subprocess.DEVNULL).returncode
    if code:
        print(f"Trainer, {count} dialogues: ended with {code}", flush=True)
