"""`meno train` and `meno evaluate` on a workload."""
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests/Reference"))

import measure
from processes import EvaluationFailed, evaluate_with_meno


def configuration(session, variant, batch, steps, records):
    """A run that watches nothing: the peers have no callbacks either. One step of `batch` examples after another, in order."""
    return f"""
base_output_dir: {session.folder}/meno
model: {{name_or_path: {session.ours_model}, dtype: {variant.weights}{", load_in_4bit: true" if variant.packed else ""}}}
data: {{path: {records}, chat_template: {session.workload['template']}, max_length: {session.options.length}, train_fraction: 1.0,
       shuffle: false, max_eval_samples: 0}}
lora: {{init_adapter: {session.folder}/initial}}
training: {{max_steps: {steps}, per_device_train_batch_size: {min(2, batch)}, gradient_accumulation_steps: {batch // min(2, batch)},
           learning_rate: 2.0e-4, lr_scheduler_type: constant, weight_decay: 0.01, max_grad_norm: 1.0, eval_strategy: "no",
           save_strategy: "no", load_best_model_at_end: false, logging_steps: 1000,
           gradient_checkpointing: {"always" if variant.checkpointing else "false"}}}
monitor: null
"""


def train(session, variant, batch, steps, records):
    """The steps of a run as (age of the process at the end, event), and how the process ended."""
    path = session.folder / "ours.yaml"
    path.write_text(configuration(session, variant, batch, steps, records))
    shutil.rmtree(session.folder / "meno", ignore_errors=True)
    limit = session.options.step_limit
    events = []

    def on_line(age, line):
        event = json.loads(line)
        if "step" in event:
            events.append((age, event["step"]["_0"]))
            return age + 2 * limit
        if "started" in event:
            return age + 1.5 * limit  # the first step is warm-up

    ending = measure.run(
        [session.options.meno, "train", str(path), "--overwrite", "--quiet"], session.environment, session.log, on_line,
        limit=session.options.load_limit, tail=str(session.folder / "meno/training_progress/events.jsonl"))
    return events, ending


def measured(session, variant):
    """One round of a variant of ours: the record that `session` keeps."""
    options, lengths = session.options, session.workload["lengths"]
    if variant.name not in session.too_slow:
        events, ending = train(session, variant, options.batch, options.steps, session.folder / "train.json")
        if ending.code == 0:
            expected = [sum(lengths[at:at + options.batch]) for at in range(0, len(lengths), options.batch)]
            told = [event["tokens"] for _, event in events]
            if told != expected:
                sys.exit(f"peers: {variant.name} trained on {told} tokens a step, the peers on {expected}: not the same work.")
            return {"kind": "measured", "seconds": [event["seconds"] for _, event in events], "tokens": told,
                    "losses": {event["step"]: event["loss"] for _, event in events}, "peak": ending.peak,
                    "first_step_at": events[0][0]}
        if not ending.timed_out:
            return {"kind": "failed", "why": f"ended with {ending.code}", "peak": ending.peak}
        session.too_slow.add(variant.name)
    # A step does not fit into the bound: two examples are to tell how long it would be.
    few = session.folder / "two.json"
    few.write_text(json.dumps(json.loads((session.folder / "train.json").read_text())[:2], ensure_ascii=False))
    events, ending = train(session, variant, min(2, options.batch), 1, few)
    if events:
        event = events[0][1]
        step = event["seconds"] * sum(lengths) / options.steps / event["tokens"]
        return {"kind": "extrapolated", "seconds": [step], "tokens": [sum(lengths) / options.steps], "peak": ending.peak}
    if ending.timed_out:
        return {"kind": "over", "bound": 1.5 * options.step_limit, "parts": max(1, options.batch // 2), "peak": ending.peak}
    return {"kind": "failed", "why": f"ended with {ending.code}", "peak": ending.peak}


def evaluated(session, dtype, samples):
    options = session.options
    try:
        result, peak, own = evaluate_with_meno(options.meno, [
            "--model", session.ours_model, "--adapter", session.folder / "initial", "--data", session.folder / "evaluation.json",
            "--chat-template", session.workload["template"], "--max-length", options.length, "--dtype", dtype,
            "--max-samples", samples],
            limit=options.load_limit + options.evaluation_limit, environment=session.environment)
    except TimeoutError:
        return {"kind": "over", "bound": options.evaluation_limit}
    except EvaluationFailed as error:
        return {"kind": "failed", "why": str(error)}
    labels = sum(session.workload["evaluation_lengths"][:result["samples"]]) - result["samples"]
    if result["tokens"] != labels:
        sys.exit(f"peers: meno evaluated {result['tokens']} labels, the peers are given {labels}: not the same work.")
    return {"kind": "measured", "samples": result["samples"], "seconds": result["seconds"], "above": peak - own,
            "loss": result["loss"]}
