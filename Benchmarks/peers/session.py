"""One workload and all that is measured on it, round after round."""
import functools
import json
import os
import subprocess
import sys

import measure
import ours
import theirs
from variants import BY_NAME


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


class Session:
    """`workload`: the report of workload.py; `records`: the rounds of each variant; `evaluations`: likewise, by name."""

    def __init__(self, options, python, gguf, folder, model_folder, shape=None, evaluation=None):
        self.options, self.python, self.folder = options, python, folder
        self.records, self.evaluations, self.peaks, self.too_slow = {}, {}, {}, set()
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log.txt"
        # Without a hub to ask, so that nobody's start-up waits for a network.
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
        if options.threads:
            self.environment["OMP_NUM_THREADS"] = self.environment["MKL_NUM_THREADS"] = str(options.threads)
        self.specification = {
            "folder": str(folder), "model_folder": str(model_folder), "gguf": str(gguf), "shape": shape, "data": str(options.data),
            "length": options.length, "batch": options.batch, "steps": options.steps, "dropout": options.dropout,
            "instructions": options.instructions.read_text().strip() if options.instructions else "",
            "evaluation": options.evaluation if evaluation is None else evaluation, "step_limit": options.step_limit}
        (folder / "workload-specification.json").write_text(json.dumps(self.specification))
        self.python_process("workload.py", folder / "workload-specification.json")
        self.workload = json.loads((folder / "workload.json").read_text())
        self.ours_model = str(gguf) if options.gguf and not shape else str(model_folder)

    def python_process(self, script, *arguments):
        with open(self.log, "a") as log:
            result = subprocess.run([self.python, str(theirs.here / script), *map(str, arguments)], env=self.environment,
                                    stdout=subprocess.PIPE, stderr=log, text=True)
        if result.returncode:
            sys.exit(f"peers: {script} ended with {result.returncode}; see {self.log}")
        return result.stdout

    def measure_peak(self):
        """The rate of a matrix product in each type, in GFLOP/s. Measured once per round, since a machine's speed drifts."""
        for line in self.python_process("peak.py", self.options.product_size, 10).splitlines():
            each = json.loads(line)
            self.peaks.setdefault(each["dtype"], []).append(each)
            say(f"product of {each['size']}³ in {each['dtype']}: {each['gflops']:.1f} GFLOP/s")

    def train(self, name):
        variant, rounds = BY_NAME[name], self.records.setdefault(name, [])
        if rounds and rounds[-1]["kind"] in ("over", "skipped"):
            return  # once is enough to know
        record = (ours if variant.system == "meno" else theirs).measured(self, variant)
        rounds.append(record)
        say(f"{name}: {describe(record)}")

    def evaluate(self):
        """An evaluation by ours and by Trainer, each in the types that are measured."""
        names = [BY_NAME[name] for name in self.options.variants]
        todo = []
        for dtype in ("bfloat16", "float32"):
            if any(each.system == "meno" and each.weights == dtype for each in names):
                todo.append((f"meno-{dtype}", functools.partial(ours.evaluated, self, dtype, self.options.evaluation)))
        for autocast, label in ((True, "autocast"), (False, "float32")):
            if any(each.system == "trainer" and each.autocast == autocast for each in names):
                for metrics, suffix in ((True, "seed's compute_metrics"), (False, "loss only")):
                    todo.append((f"trainer-{label}, {suffix}", functools.partial(
                        theirs.evaluated, self, autocast, metrics, self.options.evaluation)))
        for name, run in todo:
            record = run()
            self.evaluations.setdefault(name, []).append(record)
            say(f"evaluation, {name}: {describe(record)}")

    def result(self):
        options = self.options
        return {"workload": {**self.workload, "length": options.length, "batch": options.batch, "steps": options.steps},
                "peaks": {dtype: {**each[0], "gflops": measure.median([one["gflops"] for one in each])}
                          for dtype, each in self.peaks.items()},
                "variants": {name: summary(self.workload, BY_NAME[name], rounds) for name, rounds in self.records.items() if rounds},
                "evaluations": {name: evaluation_summary(rounds) for name, rounds in self.evaluations.items()}}


def describe(record):
    kind = record["kind"]
    if kind == "over":
        return f"more than {record['bound']:.0f} s"
    if kind in ("failed", "skipped"):
        return f"{kind}: {record['why']}"
    seconds = record["seconds"]
    text = " ".join(f"{each:.2f}" for each in seconds) if isinstance(seconds, list) else f"{seconds:.2f}"
    return f"{text} s{' (extrapolated from one micro-batch)' if kind == 'extrapolated' else ''}"


def best_rounds(rounds):
    """The most that was learnt of a variant in any round, and the rounds that learnt it."""
    kinds = {each["kind"] for each in rounds}
    best = next(kind for kind in ("measured", "extrapolated", "over", "failed", "skipped") if kind in kinds)
    return best, [each for each in rounds if each["kind"] == best]


def summary(workload, variant, rounds):
    """Medians over all rounds. A round's first step is warm-up and does not count, unless there is no other."""
    best, rounds = best_rounds(rounds)
    result = {"kind": best, "rounds": rounds, "peak": measure.median([each.get("peak") for each in rounds]),
              "products": variant.products, "system": variant.system, "packing": variant.packing}
    if best in ("failed", "skipped"):
        return {**result, "why": rounds[0]["why"]}
    if best == "over":
        return {**result, "bound": rounds[0]["bound"], "parts": rounds[0]["parts"]}
    warm = [(seconds, tokens) for each in rounds
            for seconds, tokens in list(zip(each["seconds"], each["tokens"]))[1 if len(each["seconds"]) > 1 else 0:]]
    labels = 1 - len(workload["lengths"]) / sum(workload["lengths"])  # an example's first token is no label
    rate = measure.median([tokens / seconds for seconds, tokens in warm])
    # Useful work: in the layers and, for a labelled token, the head, a product forward and one for the gradient of its input;
    # frozen weights need no gradient, recomputation and padding do not count.
    per_token = 4 * workload["linear"] + 4 * workload["hidden"] * workload["vocabulary"] * labels
    result.update(step=measure.median([seconds for seconds, _ in warm]), tokens_per_second=rate, useful_gflops=rate * per_token / 1e9)
    if best == "measured":
        result["start_up"] = measure.median([each["first_step_at"] for each in rounds]) - result["step"]
        result["losses"] = rounds[0]["losses"]
    return result


def evaluation_summary(rounds):
    _, rounds = best_rounds(rounds)
    medians = {key: measure.median([each[key] for each in rounds]) for key in ("seconds", "above") if key in rounds[0]}
    return {**rounds[0], **medians}
