"""Compares Meno with Trainer + PEFT and TRL: options, rounds and output. Needs only Python 3.11 itself."""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys

import environment
import losses
import scaling
import table
from session import Session, say
from variants import BY_NAME, QUICK, VARIANTS

root = pathlib.Path(__file__).resolve().parents[2]
MODELS = {"gemma-3-270m": ("gemma-3-270m-q4_k_m.gguf", "gemma"), "smollm2-135m": ("SmolLM2-135M-Instruct.Q4_1.gguf", "llama")}


def arguments():
    parser = argparse.ArgumentParser(prog="Benchmarks/peers/run", description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--model", choices=MODELS, default="gemma-3-270m")
    add("--rounds", type=int, default=3, help="how often all variants are measured in turn")
    add("--steps", type=int, default=4, help="optimizer steps of a measurement, the first of them warm-up")
    add("--batch", type=int, default=16, help="examples of an optimizer step")
    add("--length", type=int, default=256,
        help="tokens of the longest example; other than 256: dialogues are joined until they fill it")
    add("--instructions", type=pathlib.Path,
        help="a text that is put before the first question of every dialogue; dialogues are not joined then")
    add("--dropout", type=float, default=0.0,
        help="of the adapters' inputs; above 0 random numbers differ, so losses are not compared")
    add("--evaluation", type=int, default=50, help="dialogues of an evaluation; 0: none")
    add("--variants",
        help=f"those to measure, or `all`, of: {' '.join(each.name for each in VARIANTS)}; the default leaves out some")
    add("--step-limit", type=float, default=180, help="seconds; what would need more for a step is measured by a micro-batch")
    add("--evaluation-limit", type=float, default=600, help="the same for an evaluation")
    add("--load-limit", type=float, default=600, help="seconds until a process must have begun")
    add("--threads", type=int, help="of each process (default: libtorch's choice)")
    add("--data", type=pathlib.Path,
        help="dialogues, JSON or JSON lines of {\"messages\": ...}; default: the real ones next to the clone, or the bundled ones")
    add("--gguf", action="store_true", help="ours loads the GGUF file, not the Hugging Face folder that the peers load")
    add("--scaling", action="store_true", help="the table over length, batch and model size instead of the comparison")
    add("--axes", nargs="+", choices=["length", "batch", "size"], default=["length", "batch", "size"], help="of that table")
    add("--shapes", nargs="+", help="of that table, such as llama-1b; all unless given")
    add("--scaling-peer", default="trainer-float32-4x4", help="which variant the table has beside ours: the peers' fastest",
        choices=[each.name for each in VARIANTS if each.system != "meno" and not each.packing])
    add("--quick", action="store_true",
        help="a few minutes: one round, two steps of four dialogues, few variants; its numbers tell little")
    add("--json", type=pathlib.Path, help="where the results are written for machines")
    add("--python", default=os.environ.get("MENO_PEERS_PYTHON"),
        help="an environment that has requirements.txt; also MENO_PEERS_PYTHON")
    add("--scratch", type=pathlib.Path, default=environment.cache() / "peers", help="for models as folders, workloads and logs")
    add("--setup", action="store_true", help="set up the environment and stop")
    options = parser.parse_args()
    options.meno = os.environ.get("MENO", str(root / "meno"))
    if options.quick:
        given = {word.split("=")[0] for word in sys.argv[1:]}
        for name, value in (("rounds", 1), ("steps", 2), ("batch", 4), ("evaluation", 4)):
            if f"--{name}" not in given:
                setattr(options, name, value)
    options.product_size = 512 if options.quick else 2048
    if options.variants == "all":
        options.variants = list(BY_NAME)
    elif options.variants:
        options.variants = options.variants.replace(",", " ").split()
    else:
        options.variants = QUICK if options.quick else [each.name for each in VARIANTS if each.default]
    if unknown := [name for name in options.variants if name not in BY_NAME]:
        parser.error(f"no variant {unknown[0]}; there are {' '.join(BY_NAME)}")
    if options.data is None:
        real = root.parent / "shared/data/socratic_dialogues.ja.json"
        options.data = real if real.exists() else root / "Examples/dialogues.jsonl"
    return options


def machine(options, python):
    """The environment that the numbers were measured in."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    field = lambda key: next((line.split(":", 1)[1].strip() for line in cpu.splitlines() if line.startswith(key)), "unknown")
    flags = set(field("flags").split())
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    total = next(int(line.split()[1]) / 2 ** 20 for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    versions = subprocess.run([python, "-c", "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in "
                               "('torch', 'transformers', 'peft', 'trl')}))"], capture_output=True, text=True, check=True)
    affinity = len(os.sched_getaffinity(0))
    return {"date": datetime.date.today().isoformat(), "processor": field("model name"), "cores": affinity,
            "threads": options.threads or affinity, "memory": total, "system": platform.system(),
            "instructions": " ".join(wide) or "no vector instructions known", **json.loads(versions.stdout)}


def model_file(name):
    subprocess.run([sys.executable, str(root / "scripts/fetch-model"), name], check=True)
    return environment.cache() / "models" / MODELS[name][0]


@contextlib.contextmanager
def interruptible(result):
    """When interrupted, skips the rest and reports the measurements so far."""
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted; what was measured until then:")
        result["interrupted"] = True


def compare(options, python, gguf, result):
    """Ours and every peer in turn, round after round."""
    session = Session(options, python, gguf, options.scratch / f"work-{options.model}", options.scratch / "models" / options.model)
    with interruptible(result):
        for round_number in range(1, options.rounds + 1):
            say(f"round {round_number} of {options.rounds}")
            session.measure_peak()
            for name in options.variants:
                session.train(name)
            if options.evaluation:
                session.evaluate()
    result.update(session.result())
    result["checks"] = losses.compared(result["variants"]) if options.dropout == 0 else []
    result["checks"] += losses.of_evaluations(result["evaluations"])


def main():
    # What it measures runs in a session of its own and is ended by whoever measures it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = arguments()
    python = options.python or environment.python(say)
    if options.setup:
        return print(python)
    if not pathlib.Path(options.meno).exists():
        sys.exit(f"peers: no program {options.meno}; MENO names it")
    # Built before anything is measured, where it is the checkout's own.
    subprocess.run([options.meno, "--version"], check=True, stdout=subprocess.DEVNULL)
    gguf, family = model_file(options.model), MODELS[options.model][1]
    result = {"model": options.model, "rounds": options.rounds, "machine": machine(options, python)}
    if options.scaling:
        result["scaling_peer"] = options.scaling_peer
        result["scaling"] = []
        with interruptible(result):
            for cell in scaling.measured(options, python, gguf, family, options.scaling_peer):
                result["scaling"].append(cell)
    else:
        compare(options, python, gguf, result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    print(table.text(result))
    checks = result.get("checks", []) + [row for cell in result.get("scaling", []) for row in cell["checks"]]
    wrong = [row["name"] for row in checks if not row["holds"]]
    if wrong:
        say(f"not the same losses: {', '.join(wrong)}")
    return 130 if result.get("interrupted") else 1 if wrong else 0


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
