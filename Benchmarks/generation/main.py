"""Tokens a second of Meno and of llama.cpp, which generate greedily from the same GGUF file, in turn.

Both answer the same question with the file's own chat template, on as many threads. The peer is pip's `xllamacpp`; it runs in a
process of its own with the Python that has it, so that neither's threads wait beside the other's.

    Benchmarks/generation/run MODEL.gguf... [--rounds 5] [--threads 2] [--tokens 128] [--peer-python PYTHON]

Prints a table: medians of the prompt's and the answer's tokens a second, and the ratio of the answers'.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUESTION = "Write a long story about a fox and a river."

PEER = r"""
import json, sys, xllamacpp
path, threads, tokens, question, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
params = xllamacpp.CommonParams()
params.model.path = path
params.n_ctx = 1024
params.verbosity = -1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(params)
for _ in range(runs):
    result = server.handle_chat_completions({
        "messages": [{"role": "user", "content": question}], "max_tokens": tokens, "temperature": 0.0,
        "cache_prompt": False})
    timings = (json.loads(result) if isinstance(result, str) else result)["timings"]
    print("TIMINGS", timings["prompt_per_second"], timings["predicted_per_second"], flush=True)
"""


def ours(meno, model, arguments):
    command = [meno, "chat", "--model", model, "--prompt", QUESTION, "--temperature", "0", "--timings",
               "--max-new-tokens", str(arguments.tokens), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "MENO_ROOT": str(ROOT)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    rates = re.findall(r"\(([\d.]+) tokens/s\)", result.stderr)
    if result.returncode or len(rates) != 2:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return tuple(map(float, rates))


def theirs(model, arguments):
    command = [arguments.peer_python, "-c", PEER, model, str(arguments.threads), str(arguments.tokens), QUESTION, "1"]
    result = subprocess.run(command, capture_output=True, text=True)
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("TIMINGS")]
    if not lines:
        sys.exit(f"llama.cpp did not answer with {model}:\n{result.stderr[-2000:]}")
    return float(lines[-1][1]), float(lines[-1][2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--meno", default=os.environ.get("MENO", str(ROOT / "meno")))
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has xllamacpp")
    arguments = parser.parse_args()
    print("| model | prompt, tokens/s: ours, llama.cpp | answer, tokens/s: ours, llama.cpp | ratio |")
    print("|---|---:|---:|---:|")
    for model in arguments.models:
        own, peer = [], []
        for _ in range(arguments.rounds):
            own.append(ours(arguments.meno, model, arguments))
            peer.append(theirs(model, arguments))
        ratio = statistics.median(a[1] / b[1] for a, b in zip(own, peer))
        column = lambda rates, i: f"{statistics.median(each[i] for each in rates):.1f}"
        print(
            f"| {pathlib.Path(model).name} | {column(own, 0)}, {column(peer, 0)} | {column(own, 1)}, {column(peer, 1)} | "
            f"{ratio:.2f} |", flush=True)


main()
