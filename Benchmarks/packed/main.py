"""Tables that compare packed weights with dense ones: memory, steps and loading.

    Benchmarks/packed/run [--tables memory,speed,loading] [--models NAME,…] [--rounds 3] [--json FILE]

Each measurement is a process of its own, `meno train` with the reference notebook's arguments: passes of two examples of 256 tokens
whose layers are checkpointed, eight of them a step (times are of passes without checkpointing). Memory is VmHWM, mapped pages
included, in GB of 1e9 bytes, beside what `meno plan` had forecast. In a row, cases are measured in turn; times are medians of all
rounds, on the clock and of the processor (all threads), which other programs disturb less. Models of random weights are made in --scratch when they are first needed (llama-7b takes 14 GB there) and deleted at the end
unless --keep is given; those of the catalog are the program's. Needs a Python with numpy, gguf and tokenizers (--python).
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "Benchmarks/peers"))
import environment  # noqa: E402
import measure  # noqa: E402

NF4, PACKED, DENSE = "load_in_4bit: true", "weights: packed", "weights: dense"
# Name: where the weights come from, and the variants to compare; the first is the reference.
CASES = {
    "gemma-3-270m": [("gguf", "dense bfloat16", DENSE), ("gguf", "packed Q4_K_M", PACKED)],
    "smollm2-135m": [("gguf", "dense bfloat16", DENSE), ("gguf", "packed Q4_1", PACKED)],
    "llama-1b": [("bf16", "dense bfloat16", ""), ("bf16", "NF4", NF4), ("Q4_K", "packed Q4_K", PACKED), ("Q8_0", "packed Q8_0", PACKED)],
    "gemma-2-2b": [("bf16", "NF4", NF4), ("Q4_K", "packed Q4_K", PACKED)],
    "llama-7b": [("bf16", "NF4", NF4)],
}
SPEED = ("gemma-3-270m", "smollm2-135m", "llama-1b")
PASSES = (64, 512, 1024)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="memory,speed,loading")
    parser.add_argument("--models", default=",".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="of a run whose memory is measured")
    parser.add_argument("--meno", default=str(root / ".build/release/meno"))
    parser.add_argument("--python", help="with numpy, gguf and tokenizers; without it, the environment of Benchmarks/peers")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "meno-packed")
    parser.add_argument("--keep", action="store_true", help="keep the random models")
    parser.add_argument("--json", type=pathlib.Path, help="write every measurement there")
    return parser.parse_args()


class Session:
    def __init__(self, options):
        self.options = options
        self.folder = options.scratch
        self.folder.mkdir(parents=True, exist_ok=True)
        self.python = options.python
        self.made = []
        self.records = []

    def catalog(self, name):
        files = {"gemma-3-270m": "gemma-3-270m-q4_k_m.gguf", "smollm2-135m": "SmolLM2-135M-Instruct.Q4_1.gguf"}
        path = environment.cache() / "models" / files[name]
        if not path.exists():
            sys.exit(f"packed: {path} is not there: fetch it with `meno models fetch {name}`.")
        return path

    def model(self, name, form):
        if form == "gguf":
            return self.catalog(name)
        path = self.folder / (name if form == "bf16" else f"{name}-{form}.gguf")
        if not path.exists():
            say(f"making {path}")
            self.python = self.python or environment.python(say)
            self.made.append(path)
            subprocess.run([self.python, str(root / "Benchmarks/packed/random_models.py"), name, form, str(path),
                            str(self.catalog("smollm2-135m"))], check=True)
        return path

    def data(self):
        """Dialogues that fill their 256 tokens, of words that any tokenizer has."""
        path = self.folder / "dialogues.json"
        words = "what is courage and can it be taught to those who do not have it or is it found by asking".split()
        text = lambda seed, count: " ".join(words[(seed * 7 + i * (seed % 5 + 1)) % len(words)] for i in range(count))
        path.write_text(json.dumps([{"messages": [
            {"role": "user", "content": text(seed, 40)}, {"role": "assistant", "content": text(seed + 3, 300)}]} for seed in range(64)]))
        return path

    def configuration(self, model, held, steps, length=256, batch=2, accumulation=8, tokens=512, checkpointing="false"):
        path = self.folder / "run.yaml"
        path.write_text(f"""
base_output_dir: {self.folder}/run
model: {{name_or_path: {model}{", " + held if held else ""}}}
data: {{path: {self.data()}, chat_template: auto, max_length: {length}, train_fraction: 0.8, max_eval_samples: 8}}
lora: {{r: 8, lora_alpha: 16, lora_dropout: 0.1, target_modules: [q_proj, k_proj, v_proj]}}
training: {{max_steps: {steps}, per_device_train_batch_size: {batch}, gradient_accumulation_steps: {accumulation},
  gradient_checkpointing: {checkpointing}, warmup_ratio: 0, learning_rate: 2.0e-4, eval_strategy: "no", save_strategy: "no",
  load_best_model_at_end: false, logging_steps: 1, tokens_per_pass: {tokens}}}
monitor: null
""")
        return path

    def steps(self, path):
        """A run's steps: seconds on the clock and of the processor. The first of them warms up, and is left out."""
        process, processor = [], []

        def on_line(_, line):
            if '"step"' in line and "seconds" in line:
                processor.append(measure.processor_seconds(process[0]))

        shutil.rmtree(self.folder / "run", ignore_errors=True)
        ending = measure.run(
            [self.options.meno, "train", str(path), "--quiet"], {**os.environ, "OMP_WAIT_POLICY": "passive"},
            self.folder / "log.txt", on_line, tail=self.folder / "run/training_progress/events.jsonl", on_start=process.append)
        if ending.code:
            sys.exit(f"packed: `meno train` ended with {ending.code}; see {self.folder / 'log.txt'}.")
        seconds = [event["step"]["_0"]["seconds"] for event in self.events() if "step" in event]
        return seconds[1:], [b - a for a, b in zip(processor, processor[1:])]

    def meno(self, command, path, *more):
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        log = self.folder / "log.txt"
        environment_ = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        lines = []
        ending = measure.run([self.options.meno, command, str(path), *more], environment_, log,
                             on_line=lambda age, line: lines.append(line))
        if ending.code not in (0, 1 if command == "plan" else 0):
            sys.exit(f"packed: `meno {command}` ended with {ending.code}; see {log}.")
        return ending, "\n".join(lines)

    def events(self):
        path = self.folder / "run/training_progress/events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def keep(self, **record):
        self.records.append(record)

    def close(self):
        if self.options.json:
            self.options.json.write_text(json.dumps(self.records, indent=1))
        for path in [] if self.options.keep else self.made:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


def size(path):
    return sum(file.stat().st_size for file in path.glob("*.safetensors")) if path.is_dir() else path.stat().st_size


def memory(session, names):
    print("\n| model | weights | GB in the file | peak, GB | forecast, GB | held before the first step, GB |\n|---|---|---|---|---|---|")
    for name in names:
        for form, label, held in CASES[name]:
            model = session.model(name, form)
            say(f"memory: {name}, {label}")
            path = session.configuration(model, held, session.options.steps, checkpointing="always")
            plan = json.loads(session.meno("plan", path, "--json")[1])["forecast"]["memory"]
            ending, _ = session.meno("train", path, "--quiet")
            # A measurement of its passes resets the system's record; the run keeps the highest it saw.
            told = [event["resources"]["_0"]["peakResident"] for event in session.events() if "resources" in event]
            peak = max([ending.peak * 2**20] + told)
            session.keep(table="memory", model=name, weights=label, file=size(model), peak=peak, forecast=plan["peak"],
                         resident=plan["resident"])
            print(f"| {name} | {label} | {size(model) / 1e9:.3f} | {peak / 1e9:.3f} | {plan['peak'] / 1e9:.3f} | "
                  f"{plan['resident'] / 1e9:.3f} |", flush=True)


def speed(session, names):
    print("\nSeconds of a step on the clock and of the processor, and both beside dense weights in bfloat16:\n")
    print("| model | weights | " + " | ".join(f"{tokens} tokens a pass" for tokens in PASSES) + " |\n|---|---|" + "---|" * len(PASSES))
    for name in [name for name in names if name in SPEED]:
        cases = [(label, session.model(name, form), held) for form, label, held in CASES[name]]
        clock = {(label, tokens): [] for label, _, _ in cases for tokens in PASSES}
        processor = {key: [] for key in clock}
        for tokens in PASSES:
            length = min(tokens, 256)
            for round_ in range(session.options.rounds):
                say(f"speed: {name}, {tokens} tokens a pass, round {round_ + 1}")
                for label, model, held in cases:
                    seconds, computed = session.steps(session.configuration(model, held, 4, length, 1, tokens // length, tokens))
                    clock[label, tokens] += seconds
                    processor[label, tokens] += computed
        dense = cases[0][0]
        for label, _, _ in cases:
            cells, kept = [], []
            for tokens in PASSES:
                a, b, c, d = (statistics.median(times[key, tokens]) for key in (label, dense) for times in (clock, processor))
                kept.append({"tokens": tokens, "clock": a, "processor": b})
                cells.append(f"{a:.3f}, {b:.3f}" + ("" if label == dense else f": {a / c:.2f}, {b / d:.2f}"))
            session.keep(table="speed", model=name, weights=label, passes=kept)
            print(f"| {name} | {label} | " + " | ".join(cells) + " |", flush=True)


def loading(session, names):
    print("\nSeconds of loading, files in the system's cache:\n\n| model | weights | GB read | seconds | MB/s | beside dense |\n|---|---|---|---|---|---|")
    for name in names:
        found = {}
        cases = [(label, session.model(name, form), held) for form, label, held in CASES[name]]
        for round_ in range(session.options.rounds):
            for label, model, held in cases:
                say(f"loading: {name}, {label}, round {round_ + 1}")
                path = session.configuration(model, held, 1, 32, 1, 1, 32)
                session.meno("train", path)
                text = (session.folder / "log.txt").read_text()
                found.setdefault(label, []).append(float(re.findall(r"loaded in ([0-9.]+) s", text)[-1]))
        base = statistics.median(found[cases[0][0]])
        for label, model, _ in cases:
            seconds = statistics.median(found[label])
            session.keep(table="loading", model=name, weights=label, bytes=size(model), seconds=seconds)
            print(f"| {name} | {label} | {size(model) / 1e9:.3f} | {seconds:.2f} | {size(model) / seconds / 1e6:.0f} | "
                  f"{seconds / base:.2f} |", flush=True)


if __name__ == "__main__":
    options = arguments()
    chosen = [name for name in options.models.split(",") if name]
    unknown = [name for name in chosen if name not in CASES]
    if unknown:
        sys.exit(f"packed: no model {', '.join(unknown)}; there are {', '.join(CASES)}.")
    if not os.access(options.meno, os.X_OK):
        sys.exit(f"packed: {options.meno} is not there: build it with `swift build -c release`, or give --meno.")
    session = Session(options)
    try:
        for table in options.tables.split(","):
            {"memory": memory, "speed": speed, "loading": loading}[table](session, chosen)
    finally:
        session.close()
