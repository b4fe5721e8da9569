"""Seconds from the start of `meno train` until its first step begins, compared with the time to load only libtorch.

    Benchmarks/startup/run MODEL... [--data FILE] [--rounds 7] [--max-length 256]

A run makes one step. Its first step begins when the line of the first step comes, less what the step took (its tokens over its
tokens a second, which the line has). `meno --version` loads libtorch and ends. Both in turn; medians.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEP = re.compile(r"step 1/1 .* ([\d.]+) tokens/s")

RUN = """base_output_dir: {folder}/run
model: {{name_or_path: {model}}}
data: {{path: {data}, max_length: {length}}}
training: {{max_steps: 1, warmup_steps: 0, per_device_train_batch_size: 4, gradient_accumulation_steps: 1, eval_strategy: "no",
  save_strategy: "no"}}
"""


def first_step(meno, model, arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.yaml"
        path.write_text(RUN.format(folder=folder, model=model, data=arguments.data, length=arguments.max_length))
        began = time.monotonic()
        process = subprocess.Popen(
            [meno, "train", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "MENO_ROOT": str(ROOT)})
        seconds, lines = None, []
        for line in process.stdout:
            lines.append(line)
            if seconds is None and (match := STEP.search(line)):
                metrics = (pathlib.Path(folder) / "run/training_progress/metrics.jsonl").read_text()
                tokens = int(re.search(r'"tokens":(\d+)', metrics.replace(" ", "")).group(1))
                seconds = time.monotonic() - began - tokens / float(match.group(1))
        if process.wait() or seconds is None:
            sys.exit("".join(lines))
        return seconds


def libtorch(meno):
    began = time.monotonic()
    subprocess.run([meno, "--version"], check=True, capture_output=True)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", default=str(ROOT.parent / "shared/data/socratic_dialogues.ja.json"))
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--meno", default=os.environ.get("MENO", str(ROOT / ".build/release/meno")))
    arguments = parser.parse_args()
    print("| model | until the first step, s | libtorch alone, s | the difference, s |\n|---|---:|---:|---:|")
    for model in arguments.models:
        first_step(arguments.meno, model, arguments)  # brings the files into the page cache
        pairs = [(first_step(arguments.meno, model, arguments), libtorch(arguments.meno)) for _ in range(arguments.rounds)]
        run, alone = (statistics.median(column) for column in zip(*pairs))
        difference = statistics.median(a - b for a, b in pairs)
        print(f"| {pathlib.Path(model).name} | {run:.2f} | {alone:.2f} | {difference:.2f} |", flush=True)


main()
