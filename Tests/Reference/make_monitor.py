"""Makes Tests/Reference/fixtures/monitor: what the original training diary's formulas say of random histories.

    pip install numpy torch==2.13.0 transformers==5.23.0 accelerate && python Tests/Reference/make_monitor.py

The formulas are those of the notebook's TrainingMonitorCallback, with what it leaves out or gets wrong set right: the
basic conditions (its base class has none), the limit of stable checkpoints (never enforced there), the limit of errors
(never looked at there), and the variance ratio of two constant series (0/0 there).

Histories are not stored: the tests draw the same ones from the same seeds (SplitMix64, 53 bits a number).

  formulas.json        1,000 histories: windows, metrics, balance
  policy.json          200 runs: what was saved, declined and removed, and what is left
  trainer_state.json   a real run of Trainer on a tiny model
  replay.json          the formulas over that run, evaluation by evaluation
"""
import json
import math
import pathlib
import tempfile

import numpy as np

out = pathlib.Path(__file__).parent / "fixtures/monitor"
out.mkdir(parents=True, exist_ok=True)


class Generator:
    """SplitMix64, as Tests/MenoTesting has it."""
    mask = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.mask
        return float((z ^ (z >> 31)) >> 11) * 2.0 ** -53

    def below(self, bound):
        return int(self.uniform() * bound)


# The notebook's formulas.
def stability_metrics(history, window):
    if len(history["perplexity"]) < window:
        return None
    norms = history["grad_norm"][-window:]
    return {"perplexity_mean": np.mean(history["perplexity"][-window:]),
            "eval_loss_std": np.std(history["eval_loss"][-window:]),
            "grad_norm_mean": np.mean(norms) if norms else None}


def variance_bias_metrics(history, window):
    train, evaluation = history["train_loss"], history["eval_loss"]
    if len(train) < window or len(evaluation) < window:
        return None
    train_variance, eval_variance = np.var(train[-window:]), np.var(evaluation[-window:])
    return {"loss_gap": np.mean(evaluation[-window:]) - np.mean(train[-window:]),
            "train_variance": train_variance, "eval_variance": eval_variance,
            "total_variance": (train_variance + eval_variance) / 2}


def variance_ratio(metrics):
    largest = max(metrics["train_variance"], metrics["eval_variance"])
    return 1.0 if largest == 0 else min(metrics["train_variance"], metrics["eval_variance"]) / largest


def is_balanced(metrics):
    return bool(metrics is not None and 0.1 <= metrics["loss_gap"] <= 0.3 and metrics["total_variance"] < 0.1
                and variance_ratio(metrics) > 0.7)


def plain(metrics):
    return metrics and {k: None if v is None else float(v) for k, v in metrics.items()}


def random_history(seed):
    """Draws in an order that the tests repeat: sizes first, then the values of each series."""
    g = Generator(seed)
    windows = 1 + g.below(8), 1 + g.below(12)
    counts = g.below(25), g.below(25), g.below(12)
    base, gap = g.uniform() * 3, g.uniform() * 0.5 - 0.05
    amplitude = [0.0, 0.05, 0.5, 2.0][g.below(4)]
    if amplitude == 0:  # constants whose sums are exact, so that their variance is
        base, gap = math.floor(base * 64) / 64, math.floor(gap * 64) / 64
    train = [base + amplitude * (g.uniform() - 0.5) for _ in range(counts[0])]
    evaluation = [base + gap + amplitude * (g.uniform() - 0.5) for _ in range(counts[1])]
    norms = [g.uniform() * 3 for _ in range(counts[2])]
    return windows, {"train_loss": train, "eval_loss": evaluation, "grad_norm": norms,
                     "perplexity": [math.exp(x) for x in evaluation]}


def formulas():
    cases = []
    for seed in range(1000):
        (window, balance_window), history = random_history(seed)
        stability, balance = stability_metrics(history, window), variance_bias_metrics(history, balance_window)
        cases.append({"stability": plain(stability), "balance": plain(balance),
                      "ratio": None if balance is None else float(variance_ratio(balance)),
                      "is_balanced": is_balanced(balance)})
    return cases


class Policy:
    """on_evaluate and what it calls, made whole."""

    def __init__(self, configuration):
        self.c = configuration
        self.history = {"train_loss": [], "eval_loss": [], "grad_norm": [], "perplexity": []}
        self.checkpoints, self.last, self.errors = [], 0, 0

    def basic_conditions(self, step, m):
        low, high = self.c["grad_norm_bounds"]
        return bool(step - self.last >= self.c["min_steps_between_checkpoints"]
                    and m["perplexity_mean"] < self.c["perplexity_threshold"]
                    and m["eval_loss_std"] <= self.c["eval_loss_variance_threshold"]
                    and m["grad_norm_mean"] is not None and low <= m["grad_norm_mean"] <= high)

    def decide(self, step, loss):
        m = stability_metrics(self.history, self.c["window_size"])
        if m is None:
            return "tooFewEvaluations"
        basic = self.basic_conditions(step, m)
        if not basic and not is_balanced(variance_bias_metrics(self.history, self.c["variance_bias_window"])):
            return "conditionsNotMet"
        if self.errors >= self.c["max_consecutive_errors"]:
            return "tooManyErrors"
        if len(self.checkpoints) >= self.c["max_stable_checkpoints"] and max(self.checkpoints)[0] <= loss:
            return "worseThanKept"
        return "saveStable" if basic else "saveBalanced"

    def saved(self, step, loss):
        self.checkpoints.append((loss, -step))
        self.last, self.errors = step, 0
        removed = []
        while len(self.checkpoints) > self.c["max_stable_checkpoints"]:
            worst = max(self.checkpoints)
            self.checkpoints.remove(worst)
            removed.append(-worst[1])
        return removed


def simulate(seed):
    g = Generator(10_000 + seed)
    configuration = {
        "window_size": 1 + g.below(5), "variance_bias_window": 2 + g.below(8),
        "min_steps_between_checkpoints": 20 * g.below(6), "perplexity_threshold": 2 + g.uniform() * 6,
        "eval_loss_variance_threshold": 0.02 + g.uniform() * 0.2, "grad_norm_bounds": [0.2, 1 + g.uniform()],
        "max_stable_checkpoints": 1 + g.below(5), "max_consecutive_errors": 1 + g.below(3)}
    failing = [0.0, 0.1, 0.6][g.below(3)]
    floor, noise, gap = 0.8 + g.uniform(), g.uniform() * 0.2, g.uniform() * 0.4
    policy, outcomes, removed = Policy(configuration), [], []
    for evaluation in range(30):
        for log in range(2):
            trend = floor + 2 / (1 + evaluation + log / 2)
            policy.history["train_loss"].append(trend + noise * (g.uniform() - 0.5))
            policy.history["grad_norm"].append(g.uniform() * 1.6)
        step = 20 * (evaluation + 1)
        loss = floor + gap + 2 / (1 + evaluation) + noise * (g.uniform() - 0.5)
        policy.history["eval_loss"].append(loss)
        policy.history["perplexity"].append(math.exp(loss))
        outcome = policy.decide(step, loss)
        outcomes.append(outcome)
        if outcome.startswith("save"):
            if g.uniform() < failing:
                policy.errors += 1
            else:
                removed += policy.saved(step, loss)
    return {"outcomes": outcomes, "removed": removed, "kept": sorted(-s for _, s in policy.checkpoints)}


def train_tiny(folder):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                                         num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64))
    data = []
    for _ in range(160):
        start, stride = torch.randint(0, 64, ()).item(), torch.randint(1, 4, ()).item()
        ids = [(start + stride * i) % 64 for i in range(12)]
        data.append({"input_ids": ids, "labels": ids})
    arguments = TrainingArguments(
        output_dir=folder, max_steps=200, per_device_train_batch_size=8, learning_rate=1e-2,
        lr_scheduler_type="cosine", warmup_steps=20, logging_steps=5, eval_strategy="steps", eval_steps=20,
        save_steps=200, report_to=[], use_cpu=True, disable_tqdm=True, seed=0)
    collate = lambda batch: {k: torch.tensor([e[k] for e in batch]) for k in batch[0]}
    trainer = Trainer(model=model, args=arguments, train_dataset=data[:128], eval_dataset=data[128:],
                      data_collator=collate)
    trainer.train()
    trainer.save_state()
    return (pathlib.Path(folder) / "trainer_state.json").read_text()


def replay(text):
    history = {"train_loss": [], "eval_loss": [], "grad_norm": [], "perplexity": []}
    evaluations = []
    for entry in json.loads(text)["log_history"]:
        if "loss" in entry:
            history["train_loss"].append(entry["loss"])
            history["grad_norm"].append(entry["grad_norm"])
        if "eval_loss" in entry:
            history["eval_loss"].append(entry["eval_loss"])
            history["perplexity"].append(math.exp(entry["eval_loss"]))
            evaluations.append({"step": entry["step"], "stability": plain(stability_metrics(history, 5)),
                                "balance": plain(variance_bias_metrics(history, 10))})
    return evaluations


if __name__ == "__main__":
    write = lambda name, value: (out / name).write_text(json.dumps(value, indent=0).replace("\n", "") + "\n")
    write("formulas.json", formulas())
    write("policy.json", [simulate(seed) for seed in range(200)])
    with tempfile.TemporaryDirectory() as folder:
        state = train_tiny(folder)
    (out / "trainer_state.json").write_text(state)
    write("replay.json", replay(state))
