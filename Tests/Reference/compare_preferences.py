"""Compares `meno` with TRL's DPOTrainer on a real model in float32, with its own supervised fine-tuning, and with itself after a kill.

    python Tests/Reference/compare_preferences.py MODEL FOLDER [trl|cost|kill]

MODEL is a .gguf file, or a Hugging Face folder with a tokenizer that knows ChatML's turns.

trl: twenty steps of four pairs from the same initial adapter by `meno train` and by DPOTrainer: losses, margins and gradient
norms, seconds a step, and the final adapter of `meno` in PEFT.
cost: peak memory and seconds a step of DPO, of DPO with cached references and of supervised fine-tuning on the same tokens.
kill: a run that is killed (-9) in the middle and resumed writes the bytes of one that was not.
The environment variable MENO names another program than `./meno`. Ends with status 1 where something is above what is allowed.
"""
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

program = os.environ.get("MENO", str(pathlib.Path(__file__).parents[2] / "meno"))
path, out = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
parts = sys.argv[3:] or ["trl", "cost", "kill"]
out.mkdir(parents=True, exist_ok=True)
failed = False
steps = 20


def check(what, value, bound):
    global failed
    failed |= not value <= bound
    print(f"{what}: {value:.3g} (at most {bound:g}){'' if value <= bound else '  FAILED'}", flush=True)


def examples():
    """The bundled pairs in an order of their own."""
    rows = [json.loads(line) for line in open(pathlib.Path(__file__).parents[2] / "Examples" / "preferences.jsonl")]
    random.Random(3).shuffle(rows)
    return rows


def configuration(name, data, training, lora, dtype="float32"):
    file = out / f"{name}.yaml"
    file.write_text(f"""
base_output_dir: {out}/{name}
model: {{name_or_path: {path}, dtype: {dtype}, device: cpu}}
data: {{path: {data}, chat_template: {"gemma" if path.name.startswith("gemma") else "chatml"}, max_length: 256, train_fraction: 1.0, shuffle: false}}
lora: {lora}
training: {{per_device_train_batch_size: 4, gradient_accumulation_steps: 1, learning_rate: 1.0e-4, lr_scheduler_type: constant,
           warmup_ratio: 0, weight_decay: 0.0, max_grad_norm: 1.0, eval_strategy: "no", logging_steps: 1, {training}}}
monitor: {{probes: {{when: never}}}}
""")
    return file


def meno(file, *arguments):
    """Runs it; its steps and its largest resident size in MiB."""
    process = subprocess.Popen([program, "train", str(file), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"meno train {file} ended with {process.returncode}: {errors[-2000:]}")
    return steps_of(file.with_suffix("")), usage.ru_maxrss / 1024


def steps_of(run):
    """Each step as events.jsonl has it, with its time. A kill may have cut a line."""
    events = []
    for line in open(run / "training_progress" / "events.jsonl"):
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [e["step"]["_0"] for e in events if "step" in e]


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def seconds(run):
    """A step's, without those that warm up."""
    return median([s["seconds"] for s in run][2:])


if "trl" in parts:
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoTokenizer, PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    import real_model
    from real_model import adapted

    def load(path):
        if path.is_dir():
            from transformers import AutoModelForCausalLM
            return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        return real_model.load(path)

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    gemma = path.name.startswith("gemma")
    if path.is_dir():
        tokenizer = AutoTokenizer.from_pretrained(path)
    elif gemma:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    else:
        # transformers reads these files' pre-tokenizer otherwise than Hugging Face's own tokenizer.json has it.
        from smollm2_tokenizer import smollm2_tokenizer
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=smollm2_tokenizer(path), eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = (
        "{{ '<bos>' }}{% for m in messages %}{{ '<start_of_turn>' + ('user' if m.role == 'user' else 'model') + '\\n' + m.content "
        "+ '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
        if gemma else
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
    model = adapted(load(path), noise_in_b=False)
    model.save_pretrained(out / "initial")
    times = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__):
            times.append(time.perf_counter() - self.start)

    trainer = DPOTrainer(
        model=model, processing_class=tokenizer, train_dataset=Dataset.from_list(examples()), callbacks=[Clock()],
        args=DPOConfig(
            output_dir=str(out / "trl"), max_steps=steps, per_device_train_batch_size=4, gradient_accumulation_steps=1,
            learning_rate=1e-4, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0, logging_steps=1,
            save_strategy="no", report_to=[], bf16=False, use_cpu=True, disable_tqdm=True, gradient_checkpointing=False,
            max_length=256, train_sampling_strategy="sequential"))
    trainer.train()
    history = [h for h in trainer.state.log_history if "loss" in h]
    probe = torch.tensor([tokenizer.apply_chat_template(examples()[0]["prompt"], tokenize=True, return_dict=False)])
    with torch.no_grad():
        theirs = model.eval()(probe).logits
    del trainer, model

    data = out / "pairs.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples()))
    lora = f"{{init_adapter: {out}/initial}}"
    run, _ = meno(configuration("dpo", data, f"max_steps: {steps}, objective: dpo, gradient_checkpointing: false", lora), "--overwrite")
    worst = {"loss": 0.0, "rewards/margins": 0.0, "grad_norm": 0.0}
    mean = dict.fromkeys(worst, 0.0)
    for ours, their in zip(run, history, strict=True):
        values = {"loss": ours["loss"], "grad_norm": ours["gradientNorm"], "rewards/margins": ours["objective"]["rewards/margins"]}
        for key, value in values.items():
            scale = max(1, abs(their[key]))
            worst[key] = max(worst[key], abs(value - their[key]) / scale)
            mean[key] += (value - their[key]) / scale / steps
    for key, value in worst.items():
        print(f"{key}: mean difference {mean[key]:.2e}")
        check(f"{key}: largest difference from TRL's in {steps} steps", value, 1e-5)
    print(f"seconds a step: ours {seconds(run):.3f}, TRL's {median(times[2:]):.3f}, {median(times[2:]) / seconds(run):.2f} times as fast")
    loaded = PeftModel.from_pretrained(load(path), out / "dpo/model").eval()
    with torch.no_grad():
        difference = (loaded(probe).logits - theirs).abs().max().item()
    check("logits of PEFT with our final adapter and with TRL's: largest difference", difference, 2e-3)

if "cost" in parts:
    pairs, sides = out / "pairs.jsonl", out / "sides.jsonl"
    rows = examples()
    pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    # The same tokens as supervised fine-tuning sees them: each side is a dialogue.
    sides.write_text("".join(
        json.dumps({"messages": row["prompt"] + row[side]}, ensure_ascii=False) + "\n"
        for row in rows for side in ("chosen", "rejected")))
    lora = "{r: 8, lora_alpha: 16, lora_dropout: 0.0, target_modules: all-linear}"
    limit = "max_steps: 15, gradient_checkpointing: false, tokens_per_pass: 512, save_strategy: \"no\""
    for dtype in ("float32", "bfloat16"):
        results = {}
        for name, data, training in [
                ("sft", sides, limit.replace("max_steps", "objective: sft, max_steps")),
                ("dpo", pairs, limit.replace("max_steps", "objective: dpo, max_steps")),
                ("cached", pairs, limit.replace("max_steps", "objective: dpo, precompute_ref_log_probs: true, max_steps"))]:
            file = configuration(f"cost-{name}-{dtype}", data, training, lora, dtype)
            if name == "sft":
                file.write_text(file.read_text().replace("per_device_train_batch_size: 4", "per_device_train_batch_size: 8"))
            run, memory = meno(file, "--overwrite")
            results[name] = (seconds(run), memory, sum(s["tokens"] for s in run))
            print(f"{dtype} {name}: {results[name][0]:.3f} s a step, {memory:.0f} MiB at the height, {results[name][2]} tokens", flush=True)
        assert results["sft"][2] == results["dpo"][2], "the same tokens"
        check(f"{dtype}: DPO's peak memory, times SFT's", results["dpo"][1] / results["sft"][1], 1.1)
        check(f"{dtype}: DPO's step, times SFT's", results["dpo"][0] / results["sft"][0], 1.6)
        check(f"{dtype}: DPO's step with cached references, times SFT's", results["cached"][0] / results["sft"][0], 1.1)

if "kill" in parts:
    pairs = out / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples()))
    lora = "{r: 8, lora_alpha: 16, target_modules: [q_proj, v_proj]}"

    def kept(run):
        files = [run / "training_progress" / "metrics.jsonl", run / "model" / "adapter_model.safetensors"]
        return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    for name, extra in [("plain", ""), ("cached", ", precompute_ref_log_probs: true")]:
        training = ("objective: dpo, max_steps: 12, save_steps: 3, tokens_per_pass: 512" + extra)
        file = configuration(f"whole-{name}", pairs, training, lora, "bfloat16")
        file.write_text(file.read_text().replace('eval_strategy: "no"', "eval_strategy: steps, eval_steps: 4")
                        .replace("train_fraction: 1.0", "train_fraction: 0.8"))
        meno(file, "--overwrite")
        killed = out / f"killed-{name}.yaml"
        killed.write_text(file.read_text().replace(f"whole-{name}", f"killed-{name}"))
        shutil.rmtree(out / f"killed-{name}", ignore_errors=True)
        process = subprocess.Popen([program, "train", str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        metrics = out / f"killed-{name}" / "training_progress" / "metrics.jsonl"
        while not (metrics.exists() and sum('"loss"' in line for line in open(metrics)) >= 8):
            time.sleep(0.05)
            if process.poll() is not None:
                sys.exit("the run ended before it could be killed")
        process.send_signal(signal.SIGKILL)
        process.wait()
        meno(killed, "--resume", "auto")
        same = kept(out / f"whole-{name}") == kept(out / f"killed-{name}")
        failed |= not same
        print(f"killed and resumed ({name}): {'the same bytes' if same else 'OTHER BYTES'}", flush=True)

sys.exit(1 if failed else 0)
