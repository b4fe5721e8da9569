"""What scripts/fault-test runs: see there."""
import argparse
import concurrent.futures
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

from disk import Disk
from errors import try_errors
from runs import KINDS, Kind
from trees import cuts


def scenarios(kind):
    """(name, files to begin with, options)."""
    fresh, _ = kind.record({}, [])
    yield "a run", {}, fresh
    # Killed while it wrote the checkpoint of step 4.
    middle = next(index for index, operation in enumerate(fresh) if operation[1].startswith("run/model/.checkpoint-4.partial/"))
    disk = Disk({})
    for operation in fresh[:middle + 12]:
        disk.do(operation)
    yield "a resumed run", (cut := disk.tree()), kind.record(cut, ["--resume", "auto"])[0]
    if kind.name == "LoRA":
        older = ["--resume", f"OUT/run/model/checkpoint-{kind.best}"]
        yield "a run resumed from an older checkpoint", kind.whole, kind.record(kind.whole, older)[0]
        yield "a run that overwrites another", kind.whole, kind.record(kind.whole, ["--overwrite"])[0]


def try_trees(kind, arguments, pool, report):
    for name, base, operations in scenarios(kind):
        found, counts = cuts(base, operations)
        chosen = found if not arguments.sample else arguments.random.sample(found, min(arguments.sample, len(found)))
        found_faults = report.trees(kind, name, counts, len(found), len(chosen))

        def one(cut):
            folder = kind.folder()
            try:
                found_faults(cut[0], *kind.judge(cut, folder, "overwrites" in name))
            finally:
                kind.give(folder)

        list(pool.map(one, chosen))


class Report:
    """Prints what is tried and what is found."""

    def __init__(self):
        self.tried, self.refused, self.faults, self.lock = 0, 0, [], threading.Lock()

    def trees(self, kind, name, counts, different, chosen):
        print(f"{kind.name}: {name}: {counts['operations']} operations; {counts['prefixes']} prefixes and "
              f"{counts['power losses']} power losses leave {different} different folders, of which {chosen} are tried", flush=True)
        return lambda how, faults, refused: self.note(f"{kind.name}: {name}: {how}", faults, refused)

    def errors(self, kind, places, cases, chosen):
        print(f"{kind.name}: {places} places that change files, {cases} errors, of which {chosen} are tried", flush=True)
        return lambda how, faults, refused: self.note(f"{kind.name}: {how}", faults, refused)

    def note(self, how, faults, refused):
        with self.lock:
            self.tried += 1
            self.refused += refused
            if faults:
                self.faults.append((how, faults))
                print(f"  {how}\n" + "".join(f"      {fault}\n" for fault in faults), end="", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("library")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", choices=["trees", "errors"])
    parser.add_argument("--kind", choices=[*KINDS])
    arguments = parser.parse_args()
    arguments.random = random.Random(arguments.seed)
    memory = pathlib.Path("/dev/shm")
    start, report = time.monotonic(), Report()
    with tempfile.TemporaryDirectory(prefix="meno-fault-", dir=memory if os.access(memory, os.W_OK) else None) as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        # A run that is ended leaves nothing behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            for name in [arguments.kind] if arguments.kind else KINDS:
                kind = Kind(name, arguments, pathlib.Path(folder).resolve())
                if arguments.only != "errors":
                    try_trees(kind, arguments, pool, report)
                if arguments.only != "trees":
                    try_errors(kind, arguments, pool, report)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    print(f"fault-test: {report.tried} tried, {report.refused} stopped or refused with a reason, {len(report.faults)} with faults; "
          f"{time.monotonic() - start:.0f} s")
    sys.exit(1 if report.faults else 0)


main()
