"""Evaluation of 50 dialogues on a real model: memory above the model's own and time, here and by Trainer with the seed's
`compute_metrics` (corrected: labels shifted), which keeps every logit, on as many dialogues as memory holds.

    python Tests/Reference/compare_evaluation.py MODEL.gguf DIALOGUES.json FOLDER [COUNT...]

COUNT: how many dialogues Trainer is given, in turn; 4 8 16 unless said. MENO names another program than `./meno`.
"""
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

program = os.environ.get("MENO", str(pathlib.Path(__file__).parents[2] / "meno"))
path, data, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
dialogues = json.load(open(data))


def resident(pid="self"):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def ours(count, dtype):
    """Loss, seconds, and the peak resident memory of the whole process in MiB."""
    (out / "chosen.json").write_text(json.dumps(dialogues[:count]))
    process = subprocess.Popen(
        [program, "evaluate", "--model", str(path), "--data", str(out / "chosen.json"), "--max-length", "256",
         "--dtype", dtype, "--max-samples", str(count), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    series = []
    begin = time.perf_counter()
    while process.poll() is None:
        try:
            series.append((time.perf_counter() - begin, resident(process.pid)))
        except (StopIteration, FileNotFoundError):
            pass
        time.sleep(0.02)
    result = json.loads(process.stdout.read())
    end = time.perf_counter() - begin
    evaluating = [value for at, value in series if at > end - result["seconds"] - 0.3]
    # What is resident when the evaluation begins is the model's own.
    return result, max(evaluating), evaluating[0]


def theirs(count):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    text = lambda messages: "<bos>" + "".join(
        f"<start_of_turn>{'user' if m['role'] == 'user' else 'model'}\n{m['content'].strip()}<end_of_turn>\n" for m in messages)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    model.is_quantized, model.hf_quantizer = False, None
    del model.config.quantization_config

    def collate(rows):
        length = (max(len(r["input_ids"]) for r in rows) + 7) // 8 * 8
        pad = lambda values, with_: [list(v) + [with_] * (length - len(v)) for v in values]
        ids = [r["input_ids"] for r in rows]
        return {"input_ids": torch.tensor(pad(ids, 0)), "labels": torch.tensor(pad(ids, -100)),
                "attention_mask": torch.tensor(pad([[1] * len(i) for i in ids], 0))}

    def compute_metrics(predictions):
        logits, labels = predictions
        logits, labels = torch.tensor(logits)[:, :-1], torch.tensor(labels)[:, 1:]
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.size(-1)), labels.reshape(-1), ignore_index=-100)
        return {"perplexity": torch.exp(loss).item(), "shifted_loss": loss.item()}

    rows = [{"input_ids": tokenizer(text(d["messages"]), add_special_tokens=False).input_ids[:256]} for d in dialogues[:count]]
    trainer = Trainer(
        model=model, data_collator=collate, eval_dataset=rows, compute_metrics=compute_metrics,
        args=TrainingArguments(
            output_dir=out / "trainer", per_device_eval_batch_size=2, eval_accumulation_steps=4, bf16=True, bf16_full_eval=False,
            report_to=[], use_cpu=True, disable_tqdm=True, remove_unused_columns=False))
    before = resident()
    peak = [before]
    stop = threading.Event()

    def watch():
        while not stop.wait(0.05):
            peak[0] = max(peak[0], resident())

    threading.Thread(target=watch, daemon=True).start()
    start = time.perf_counter()
    metrics = trainer.evaluate()
    seconds = time.perf_counter() - start
    stop.set()
    print(f"Trainer, {count} dialogues: {seconds:.1f} s, {peak[0] - before:.0f} MiB above the model's own {before:.0f}; "
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
