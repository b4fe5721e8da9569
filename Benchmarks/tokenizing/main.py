"""Compares the speed of tokenizing with Hugging Face's tokenizers, and of preparing examples with another build.

    Benchmarks/tokenizing/run --source dialogues.json --python PYTHON --model FILE.gguf... [--meno PROGRAM]
                              [--other PROGRAM] [--size 40] [--turns 5]

Tokenized are the texts of the dialogues, none twice, and the sources of Python's standard library in parts of 2,000 characters: on one
thread and on two, here and there in turn, every time in a new process and without reading the texts. Both tell the bytes of each
token. PYTHON has tokenizers, transformers and gguf.

Prepared are `--size` MB of JSON lines of dialogues, from the records to the examples on the disk, on one core and on all; with
`--other`, also by an older program, in turn.
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
import sysconfig
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "data"))
import records

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--source", required=True, help="a JSON array of dialogues")
parser.add_argument("--model", nargs="+", required=True, help="GGUF files")
parser.add_argument("--python", help="a python with tokenizers, transformers and gguf")
parser.add_argument("--meno", default=str(here.parents[1] / "meno"))
parser.add_argument("--other", help="an older program")
parser.add_argument("--size", type=float, default=40, help="MB to prepare; 0: none")
parser.add_argument("--turns", type=int, default=5)
arguments = parser.parse_args()
folder = pathlib.Path(tempfile.mkdtemp())


def dialogue_texts():
    return list(dict.fromkeys(m["content"] for d in json.load(open(arguments.source)) for m in d["messages"]))


def source_texts(limit=8_000_000):
    total = 0
    for path in sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        text = path.read_text(errors="replace")
        for start in range(0, len(text), 2000):
            yield text[start:start + 2000]
        total += len(text)
        if total > limit:
            return


def output(command, **environment):
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result.stdout


def tokenizing(model):
    tokenizer = folder / f"{pathlib.Path(model).stem}.json"
    output([arguments.python, here / "peer.py", "make", model, tokenizer])
    for name, texts in [("dialogues", dialogue_texts()), ("Python's library", list(source_texts()))]:
        lines = folder / "texts.jsonl"
        lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        size = sum(len(text.encode()) for text in texts)
        for threads in [1, 2]:
            commands = {
                "Meno": [arguments.meno, "tokenize", "--model", tokenizer, "--file", lines, "--count", "--workers", str(threads)],
                "tokenizers": [arguments.python, here / "peer.py", "encode", tokenizer, lines, str(threads)],
            }
            results = {program: [] for program in commands}
            for _ in range(arguments.turns):
                for program, command in commands.items():
                    results[program].append(json.loads(output(command)))
            if len({result["tokens"] for turns in results.values() for result in turns}) > 1:
                sys.exit(f"{name}: the programs count different tokens")
            ours, theirs = (statistics.median(r["seconds"] for r in results[p]) for p in commands)
            print(
                f"{pathlib.Path(model).stem}, {name} ({size / 1e6:.1f} MB), {threads} threads: Meno {size / ours / 1e6:.1f} MB/s, "
                f"tokenizers {size / theirs / 1e6:.1f} MB/s, {theirs / ours:.2f} times as fast", flush=True)


def prepare(program, configuration, one_core):
    """Seconds between the lines that begin and end the preparation."""
    for name in ["run", "cache"]:
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "cache").mkdir()
    process = subprocess.Popen(
        (["taskset", "-c", "0"] if one_core else []) + [program, "train", str(configuration)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={**os.environ, "MENO_CACHE": str(folder / "cache")})
    times, lines = {}, []
    for line in process.stdout:
        lines.append(line)
        found = re.search("preparing the examples|examples are prepared", line)
        if found:
            times[found.group()] = time.perf_counter()
    process.wait()
    if len(times) < 2:
        sys.exit("".join(lines)[-2000:])
    return times["examples are prepared"] - times["preparing the examples"]


def preparing(model):
    data = folder / "data.jsonl"
    if not data.exists():
        records.write(data, arguments.source, arguments.size * 1e6)
    configuration = folder / "run.yaml"
    # The smallest run that prepares every example: a second step is not taken, as the first one's learning rate is 0.
    configuration.write_text(
        f"base_output_dir: {folder}/run\nmodel: {{name_or_path: {model}}}\ndata: {{path: {data}, train_fraction: 0.8}}\n"
        "training: {max_steps: 1, eval_strategy: \"no\", load_best_model_at_end: false}\nmonitor: null\n")
    programs = {"Meno": arguments.meno} | ({"the older program": arguments.other} if arguments.other else {})
    for cores, one_core in [("one core", True), ("all cores", False)]:
        times = {name: [] for name in programs}
        for _ in range(arguments.turns):
            for name, program in programs.items():
                times[name].append(prepare(program, configuration, one_core))
        medians = {name: statistics.median(values) for name, values in times.items()}
        text = ", ".join(f"{name} {data.stat().st_size / value / 1e6:.1f} MB/s" for name, value in medians.items())
        if arguments.other:
            text += f", {medians['the older program'] / medians['Meno']:.2f} times as fast"
        print(f"{pathlib.Path(model).stem}, preparing {arguments.size:g} MB on {cores}: {text}", flush=True)


try:
    for model in arguments.model:
        if arguments.python:
            tokenizing(model)
        if arguments.size > 0:
            preparing(model)
finally:
    shutil.rmtree(folder, ignore_errors=True)
