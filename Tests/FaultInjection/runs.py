"""Tiny runs of the program, recorded and judged."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

from disk import Disk, fault_of_checkpoint, read_record

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "Reference/fixtures/upgrade"
STEPS = 6

CONFIGURATION = """base_output_dir: {output}
model: {{name_or_path: {model}, device: cpu}}
data: {{path: {data}, max_length: 64}}
lora: {lora}
training: {{max_steps: {steps}, eval_steps: 1, save_steps: 2, save_total_limit: 2, per_device_train_batch_size: 2,
           gradient_accumulation_steps: 1, learning_rate: {rate}, lr_scheduler_type: constant, adam_beta2: 0.9, logging_steps: 2,
           bf16: false}}
monitor: {{window_size: 2, min_steps_between_checkpoints: 2, perplexity_threshold: 1.0e9, eval_loss_variance_threshold: 1.0e9,
          grad_norm_bounds: [0, 1.0e9], max_stable_checkpoints: 2, probes: {{when: never}}}}
"""
KINDS = {
    "LoRA": ("{r: 2, lora_alpha: 4, lora_dropout: 0.1, target_modules: [q_proj, v_proj]}", 2,
             ["adapter_model.safetensors", "adapter_config.json"]),
    "full": ("null", 0.1, ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]),
}


def read_tree(folder):
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


def write_tree(tree, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(tree):
        if tree[path] is None:
            (folder / path).mkdir(exist_ok=True)
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(tree[path])


class Kind:
    """Runs of one kind of training, each worker's in a folder of its own."""

    def __init__(self, name, arguments, work):
        self.name, self.program, self.work = name, arguments.program, work
        self.lora, self.rate, self.results = KINDS[name]
        self.library, self.slots, self.lock = arguments.library, [], threading.Lock()
        self.number = 0
        (work / name).mkdir()
        # What the unbroken run leaves, and what it tells.
        self.whole, self.told = self.run(work / name / "whole", [])
        assert self.whole is not None, self.told
        states = json.loads(self.whole[f"run/model/checkpoint-{STEPS}/trainer_state.json"])
        self.best = states["best_global_step"]
        assert self.best not in (None, STEPS), "the best model should not be the last: choose another learning rate"

    def folder(self):
        with self.lock:
            if self.slots:
                return self.slots.pop()
            self.number += 1
            return self.work / self.name / f"folder-{self.number}"

    def give(self, folder):
        with self.lock:
            self.slots.append(folder)

    def start(self, folder, options, record=None, fault=None):
        """Runs `meno train` with its files in folder/out: (exit status, standard error)."""
        out, file = folder / "out", folder / "run.yaml"
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(CONFIGURATION.format(
            output=out / "run", model=FIXTURES / "model", data=FIXTURES / "texts.jsonl", lora=self.lora, rate=self.rate,
            steps=STEPS))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if record:
            environment |= {"LD_PRELOAD": self.library, "FAULT_ROOT": str(out), "FAULT_LOG": str(record), **(fault or {})}
        done = subprocess.run([self.program, "train", file, *[option.replace("OUT", str(out)) for option in options]],
                              env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
        return done.returncode, done.stderr.decode(errors="replace")

    def run(self, folder, options):
        """The files of a run that must succeed, or None; and what it told."""
        status, errors = self.start(folder, options)
        return (read_tree(folder / "out") if status == 0 else None), errors

    def record(self, base, options):
        """The operations of a run that begins with these files, and the files it leaves."""
        folder = self.folder()
        write_tree(base, folder / "out")
        record = folder / "record"
        record.unlink(missing_ok=True)
        status, errors = self.start(folder, options, record)
        assert status == 0, errors
        operations, tree = read_record(record), read_tree(folder / "out")
        self.give(folder)
        unknown = {operation[:3] for operation in operations if operation[0] == "unsupported"}
        assert not unknown, f"the program changes files by calls that recorder.c does not follow: {unknown}"
        disk = Disk(base)
        for operation in operations:
            disk.do(operation)
        simulated = disk.tree()
        different = [path for path in {*simulated, *tree} if simulated.get(path, 0) != tree.get(path, 0)]
        assert not different, f"recorder.c has missed something: {different}"
        return operations, tree

    # MARK: What must be so

    def differences(self, tree):
        """What of a finished run is not as the unbroken one left it."""
        last = f"run/model/checkpoint-{STEPS}/"
        paths = [f"run/model/{name}" for name in self.results] + ["run/training_progress/metrics.jsonl", last + "run_state.json"]
        paths += [path for path in self.whole if path.startswith("run/model/") and path.endswith((".safetensors", "_state.json"))]
        found = [path for path in paths if tree.get(path) != self.whole[path]]
        listing = lambda tree: {path for path in tree if re.fullmatch(r"run/model/[^/]*", path) and "abandoned_" not in path}
        return found + [f"left behind: {path}" for path in listing(tree) - listing(self.whole)] + self.broken(tree)

    def broken(self, tree, versions=()):
        """Files that are not whole under their final names."""
        found = []
        for name in self.results:
            known = [self.whole[f"run/model/{name}"], *[version.get(f"run/model/{name}") for version in versions]]
            if (content := tree.get(f"run/model/{name}")) is not None and content not in known:
                found.append(f"half-written: {name} ({len(content)} bytes)")
        return found

    def judge(self, cut, folder, overwrites=False):
        """Resumes a tree: what is wrong, and whether the program refused.

        overwrites: the run was to replace another, whose stable checkpoints may be gone already while it is resumed.
        """
        how, tree, lost, least = cut
        faults = [f"lost: {name}" for name in lost] + self.broken(tree)
        if "at the end" in how:
            faults += [f"lost: {name}, which was finished" for name in self.results if f"run/model/{name}" not in tree]
        write_tree(tree, folder / "out")
        status, errors = self.start(folder, ["--resume", "auto"])
        if status in (65, 66) and errors.strip() and "run" in errors:
            # The run to be replaced is finished and its checkpoints are gone: its result is not written over unasked.
            checkpoints = [path for path in tree if re.fullmatch(r"run/model/checkpoint-\d+", path)]
            is_finished = (overwrites and "already a finished run here" in errors
                           and all(f"run/model/{name}" in tree for name in self.results)
                           and all(fault_of_checkpoint(tree, path) for path in checkpoints))
            refusal = [] if is_finished else [f"refused: {errors.strip().splitlines()[-1]}"]
            return refusal + faults, True
        if status != 0:
            return [f"exit status {status}: {errors.strip()[-400:]}", *faults], False
        resumed = re.search(r"resumed from \S*/checkpoint-(\d+)", errors)
        if (int(resumed[1]) if resumed else 0) < least:
            faults.append(f"resumed from {resumed[1] if resumed else 'nothing'}, and checkpoint-{least} had been promised")
        different = self.differences(read_tree(folder / "out"))
        return faults + [what for what in different if not overwrites or "stable_checkpoint" not in what], False
