"""Runs several processes with the tiny Gemma: any number of them gives the same bytes, and the loss of one is handled.

    python3 Tests/Reference/process_runs.py MENO bytes|kill|pause|torchrun|hosts [--times N]      (see scripts/processes-test)
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

root = pathlib.Path(__file__).resolve().parents[2]
failures = 0


def check(what, condition, detail=""):
    global failures
    failures += not condition
    print(f"  {'ok  ' if condition else 'FAIL'} {what} {detail}".rstrip(), flush=True)


def base_model(folder):
    """The tiny model with a tokenizer of single characters."""
    shutil.copytree(root / "Tests/Reference/fixtures/models/gemma3-tiny", folder)
    vocabulary = {t: i for i, t in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ,.?"])}
    special = [{"id": i, "content": t, "special": True} for t, i in vocabulary.items() if t.startswith("<")]
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": special, "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}))


class Runs:
    def __init__(self, meno):
        self.meno = meno
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="meno-processes-"))
        base_model(self.folder / "model")
        words = "what is virtue and can it be taught socrates asks meno again".split()
        lines = [" ".join(words[(i * 5 + j * (j + i % 3)) % len(words)] for j in range(4)) for i in range(40)]
        (self.folder / "data.jsonl").write_text("".join(json.dumps({"text": line + "?"}) + "\n" for line in lines))

    def configuration(self, name, steps, lora, dtype="float32", **training):
        run = self.folder / name
        keys = {
            "max_steps": steps, "learning_rate": "5.0e-3", "eval_steps": max(1, steps // 3), "save_steps": max(1, steps // 3),
            "logging_steps": 1, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "logical_shards": 4,
            "load_best_model_at_end": "false", **training}
        adapter = "{r: 4, lora_alpha: 8, lora_dropout: 0.1, target_modules: all-linear}" if lora else "null"
        file = self.folder / f"{name}.yaml"
        file.write_text(f"""base_output_dir: {run}
model: {{name_or_path: {self.folder}/model, device: cpu, dtype: {dtype}}}
data: {{path: {self.folder}/data.jsonl, max_length: 32}}
lora: {adapter}
training: {{{', '.join(f'{k}: {v}' for k, v in keys.items())}}}
monitor: {{probes: {{when: never}}}}
""")
        return file, run

    def start(self, file, processes, *arguments, environment={}, program=None):
        command = [*(program or [self.meno]), "train", str(file), *arguments]
        if processes > 1 and not program:
            command += ["--processes", str(processes)]
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, **environment})

    def train(self, file, processes, *arguments, **options):
        process = self.start(file, processes, *arguments, **options)
        errors = process.communicate(timeout=600)[1]
        return process.returncode, errors

    def sums(self, run):
        names = sorted(p for p in (run / "model").glob("*.safetensors")) + sorted(
            p for p in (run / "model").glob("checkpoint-*/optimizer.safetensors"))[-1:]
        files = names + [run / "training_progress/metrics.jsonl"]
        return [(str(f.relative_to(run)), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]


def show(label, sums):
    for name, digest in sums:
        print(f"  {label:<14} {digest[:32]}  {name}", flush=True)


def same_bytes(runs):
    for lora, dtype in [(True, "float32"), (True, "bfloat16"), (False, "float32")]:
        kind = f"{'LoRA with dropout' if lora else 'full fine-tuning'}, {dtype}"
        print(kind, flush=True)
        expected = None
        for processes in (1, 2, 3, 4):
            file, run = runs.configuration("run", 9, lora, dtype)
            status, errors = runs.train(file, processes, "--overwrite")
            if status:
                check(f"{processes} processes", False, errors[-2000:])
                continue
            sums = runs.sums(run)
            show(f"{processes} processes", sums)
            if expected:
                check(f"{processes} processes give the bytes of one", sums == expected)
            expected = expected or sums
        if not lora:
            file, run = runs.configuration("run", 9, lora, dtype, sharding="optimizer")
            status, errors = runs.train(file, 3, "--overwrite")
            check("3 processes with sharding: optimizer give the same bytes", status == 0 and runs.sums(run) == expected,
                  errors[-1000:] if status else "")
        # 4, then 2, then 1.
        file, run = runs.configuration("run", 9, lora, dtype)
        shutil.rmtree(run)
        for processes, last in ((4, 3), (2, 6), (1, 9)):
            process = runs.start(file, processes, *(["--resume", "auto"] if last > 3 else []))
            asked = False
            lines = []
            for line in process.stderr:
                lines.append(line)
                if last < 9 and f"step {last}/9" in line and not asked:
                    asked = True
                    process.send_signal(signal.SIGTERM)
            process.wait()
            check(f"{processes} processes, to step {last} or a little further", process.returncode in ((0,) if last == 9 else (0, 130)),
                  f"status {process.returncode}")
        sums = runs.sums(run)
        show("4, 2, 1", sums)
        check("resumed by 4, 2 and 1 processes: the same bytes", sums == expected)


def ranks_of(launcher):
    """The processes that a launcher has started, by rank."""
    found = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) != launcher:
                continue
            environment = (status.parent / "environ").read_bytes().split(b"\0")
            rank = next(e for e in environment if e.startswith(b"RANK="))
            found[int(rank[5:])] = int(status.parent.name)
        except (OSError, StopIteration, IndexError):
            pass
    return found


def is_alive(pid):
    try:
        return "Z" != pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def lose(runs, number, times):
    """A random rank is killed (SIGKILL) or stopped (SIGSTOP) at a random moment; the run is resumed."""
    name = signal.Signals(number).name
    file, run = runs.configuration("whole", 30, True)
    start = time.monotonic()
    status, errors = runs.train(file, 2, "--overwrite")
    duration = time.monotonic() - start
    check("the unbroken run", status == 0, errors[-1000:] if status else "")
    expected = runs.sums(run)
    generator = random.Random(7)
    slowest = 0
    for attempt in range(times):
        file, run = runs.configuration("broken", 30, True)
        shutil.rmtree(run, ignore_errors=True)
        processes = generator.choice([2, 3])
        process = runs.start(file, processes)
        errors = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr))
        reader.start()
        time.sleep(generator.uniform(0.2, 1.0) * duration)
        ranks = ranks_of(process.pid)
        if not ranks:
            process.wait()
            reader.join()
            print(f"  --   {attempt + 1}: the run had ended", flush=True)
            continue
        rank = generator.choice(sorted(ranks))
        os.kill(ranks[rank], number)
        lost = time.monotonic()
        others = [p for r, p in ranks.items() if r != rank]
        while any(is_alive(p) for p in others) and time.monotonic() - lost < 60:
            time.sleep(0.05)
        seconds = time.monotonic() - lost
        slowest = max(slowest, seconds)
        if number == signal.SIGSTOP and is_alive(ranks[rank]):
            # Whoever started it ends it, too; not waited for here.
            os.kill(ranks[rank], signal.SIGCONT)
        process.wait()
        reader.join()
        text = "".join(errors)
        check(f"{attempt + 1}: {name} to rank {rank} of {processes}", seconds < 30 and process.returncode != 0,
              f"all had stopped after {seconds:.1f} s, status {process.returncode}")
        check(f"{attempt + 1}: the rank is named", f"rank {rank}" in text, "" if f"rank {rank}" in text else text[-600:])
        status, rest = runs.train(file, generator.choice([1, 2]), *(["--resume", "auto"] if run.exists() else []))
        check(f"{attempt + 1}: resumed, the same bytes", status == 0 and runs.sums(run) == expected, rest[-600:] if status else "")
    print(f"  {name}: the slowest end took {slowest:.1f} s", flush=True)


def torchrun(runs):
    """torchrun starts the processes; one of them is killed, and the next attempt resumes."""
    program = shutil.which("torchrun") or str(pathlib.Path(sys.executable).parent / "torchrun")
    if not pathlib.Path(program).exists():
        return print("  skipped: no torchrun beside this Python", flush=True)
    file, run = runs.configuration("torchrun", 12, True)
    expected_file, expected_run = runs.configuration("alone", 12, True)
    check("alone", runs.train(expected_file, 1, "--overwrite")[0] == 0)
    command = [program, "--nproc-per-node", "2", "--max-restarts", "2", "--monitor-interval", "0.5", "--no-python", runs.meno]
    process = runs.start(file, 2, "--resume", "auto", program=command)
    killed = False
    text = []
    for line in process.stderr:
        text.append(line)
        if "step 7/12" in line and not killed:
            killed = True
            workers = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "train"], capture_output=True, text=True).stdout.split()
            if workers:
                os.kill(int(workers[-1]), signal.SIGKILL)
    process.wait()
    check("torchrun with a killed worker", process.returncode == 0, "".join(text)[-1500:] if process.returncode else "")
    check("the bytes of a run of one process", runs.sums(run) == runs.sums(expected_run))


def hosts(runs):
    """Two "hosts", which are network namespaces with a cable between them: they meet, the cable is cut, one comes late."""
    names = [f"meno-{os.getpid()}-a", f"meno-{os.getpid()}-b"]
    made = subprocess.run(["ip", "netns", "add", names[0]], capture_output=True, text=True)
    if made.returncode:
        return print(f"  skipped: no network namespaces here ({made.stderr.strip() or 'ip is missing'})", flush=True)

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    try:
        ip("netns", "add", names[1])
        ip("link", "add", "meno0", "netns", names[0], "type", "veth", "peer", "name", "meno1", "netns", names[1])
        for index, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.77.0.{index + 1}/24", "dev", f"meno{index}")
            ip("-n", name, "link", "set", f"meno{index}", "up")
            ip("-n", name, "link", "set", "lo", "up")

        def start(file, rank, *arguments, **more):
            return runs.start(file, 1, *arguments, program=["ip", "netns", "exec", names[rank], runs.meno], environment={
                "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "10.77.0.1", "MASTER_PORT": "29511",
                "GLOO_SOCKET_IFNAME": f"meno{rank}", **more})

        alone_file, alone = runs.configuration("alone", 9, True)
        check("alone", runs.train(alone_file, 1, "--overwrite")[0] == 0)
        file, run = runs.configuration("hosts", 9, True)
        first = start(file, 0)
        time.sleep(3)
        second = start(file, 1)
        errors = [p.communicate(timeout=300)[1] for p in (first, second)]
        check("two hosts, the second 3 s late", first.returncode == 0 and second.returncode == 0, errors[0][-800:] if first.returncode else "")
        check("the bytes of one process", runs.sums(run) == runs.sums(alone))
        late = start(file, 0, "--overwrite", MENO_JOIN_TIMEOUT="4")
        text = late.communicate(timeout=120)[1]
        check("who never comes is told of", late.returncode == 1 and "did not meet all 2 processes" in text, text[-500:])
        file, run = runs.configuration("cut", 3000, True, save_steps=20, eval_steps=3000)
        pair = [start(file, 0), start(file, 1)]
        cut = None
        for line in pair[0].stderr:
            if "step 30/" in line and cut is None:
                ip("-n", names[0], "link", "set", "meno0", "down")
                cut = time.monotonic()
            text = line
        ends = []
        for p in pair:
            p.communicate(timeout=120)
            ends.append(time.monotonic() - cut)
        check("a cut cable ends both", all(p.returncode == 1 for p in pair) and max(ends) < 40,
              f"after {ends[0]:.0f} and {ends[1]:.0f} s: {text.strip()[:200]}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("meno")
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    runs = Runs(str(pathlib.Path(options.meno).resolve()))
    try:
        for part in options.parts:
            print(f"{part}", flush=True)
            {"bytes": lambda: same_bytes(runs), "kill": lambda: lose(runs, signal.SIGKILL, options.times),
             "pause": lambda: lose(runs, signal.SIGSTOP, max(1, options.times // 5)), "torchrun": lambda: torchrun(runs),
             "hosts": lambda: hosts(runs)}[part]()
    finally:
        shutil.rmtree(runs.folder, ignore_errors=True)
    print("processes-test: " + ("passed" if not failures else f"{failures} failed"))
    sys.exit(failures > 0)


main()
