"""Starts the peers' processes on a workload and reads their reports."""
import dataclasses
import json
import pathlib
import signal

import measure

here = pathlib.Path(__file__).parent


def run(session, script, specification, on_event, limit):
    path = session.folder / "specification.json"
    path.write_text(json.dumps(specification))

    def on_line(age, line):
        if line.startswith("@"):
            return on_event(age, json.loads(line[1:]))

    return measure.run([session.python, str(here / script), str(path)], session.environment, session.log, on_line, limit)


def why(ending):
    return "out of memory" if ending.code == -signal.SIGKILL else f"ended with {ending.code}"


def logits_memory(session, examples):
    """MiB that the logits of so many examples take in a backward pass without a fused head: in float32, as log-probabilities,
    and the gradients of both.
    """
    return 4 * 4 * examples * max(session.workload["lengths"]) * session.workload["vocabulary"] / 2 ** 20


def measured(session, variant):
    """One round of a peer's variant: the record that `session` keeps."""
    options = session.options
    # A micro-batch divides the step, so it may be smaller than the variant's where a step has few examples.
    per_device = max(each for each in range(1, variant.per_device + 1) if options.batch % each == 0)
    variant = dataclasses.replace(variant, per_device=per_device)
    needed = 4 * session.workload["parameters"] / 2 ** 20
    needed += 0 if variant.system == "trl" else logits_memory(session, per_device)
    if needed > 0.95 * (available := measure.available_memory()):
        return {"kind": "skipped", "why": f"needs more than {needed / 1024:.0f} of the {available / 1024:.0f} GiB that are free"}
    steps, losses, extrapolated = [], {}, {}

    def on_event(age, event):
        kind = event.pop("event")
        if kind == "begin":
            return age + options.step_limit
        if kind == "micro":
            # This pass has been inside its bound, so the step is either short enough or told as extrapolated.
            return age + max(2 * event["step"], 10) + options.step_limit
        if kind == "step":
            steps.append((age, event))
            return age + 3 * options.step_limit
        if kind == "loss":
            losses[event["step"]] = event["loss"]
        if kind == "extrapolated":
            extrapolated.update(event)

    script = "trl_peer.py" if variant.system == "trl" else "trainer_peer.py"
    ending = run(session, script, {**session.specification, **vars(variant)}, on_event, options.load_limit)
    if extrapolated:
        tokens = sum(session.workload["lengths"]) / options.steps
        return {"kind": "extrapolated", "seconds": [extrapolated["seconds"]], "tokens": [tokens],
                "micro": extrapolated["micro"], "peak": ending.peak}
    if ending.timed_out:
        return {"kind": "over", "bound": options.step_limit, "parts": options.batch // per_device, "peak": ending.peak}
    if ending.code or not steps:
        return {"kind": "failed", "why": why(ending), "peak": ending.peak}
    return {"kind": "measured", "seconds": [event["seconds"] for _, event in steps],
            "tokens": [event["tokens"] for _, event in steps], "losses": losses, "peak": ending.peak, "first_step_at": steps[0][0]}


def evaluated(session, autocast, metrics, samples):
    """One evaluation by Trainer. With the notebook's metrics of as many examples as memory holds the logits of."""
    options = session.options
    if metrics:
        # Gathered logits, their concatenation and the metric's own copies, all at once; by measurement about 4.5 times their
        # size.
        each = 4.5 * 4 * max(session.workload["evaluation_lengths"]) * session.workload["vocabulary"] / 2 ** 20
        free = measure.available_memory() - 4 * session.workload["parameters"] / 2 ** 20 - 2048
        samples = min(samples, int(free / each) // 2 * 2)
        if samples < 2:
            return {"kind": "skipped", "why": "memory does not hold the logits of two examples"}
    told = {}

    def on_event(age, event):
        kind = event.pop("event")
        told[kind] = event
        return age + 2 * options.evaluation_limit

    ending = run(session, "evaluation_peer.py", {
        **session.specification, "weights": "float32", "checkpointing": False, "autocast": autocast, "metrics": metrics,
        "samples": samples, "limit": options.evaluation_limit}, on_event, options.load_limit + options.evaluation_limit)
    if "evaluated" in told:
        return {"kind": "measured", "samples": samples, **told["evaluated"]}
    if "extrapolated" in told:
        return {"kind": "extrapolated", "samples": samples, **told["extrapolated"]}
    if ending.timed_out:
        return {"kind": "over", "bound": options.evaluation_limit}
    return {"kind": "failed", "why": why(ending)}
