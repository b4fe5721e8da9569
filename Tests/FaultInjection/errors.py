"""Errors of the system, answered once at each place of a run that changes files."""
import collections
import json
import pathlib
import re
import shutil

from disk import TEMPORARY, fault_of_checkpoint, read_record
from runs import read_tree

ERRORS = {"write": ["ENOSPC", "EIO", "SHORT", "FULL"], "open": ["ENOSPC", "EIO"], "truncate": ["EIO"], "fsync": ["ENOSPC", "EIO"],
          "rename": ["ENOSPC", "EIO"], "mkdir": ["ENOSPC", "EIO"], "unlink": ["EIO"]}


def places(operations):
    """Every place that changes files, by call and path without numbers: (call, path, which of those that fit, name)."""
    counts, found = collections.Counter(), {}
    for call, path, other, first, second, data in operations:
        if call not in ERRORS or call == "open" and not second & 1:
            continue
        # A log's name is of its time; some files carry the number of the process until they are whole.
        pattern = re.sub(r"/logs/.*", "/logs/*", re.sub(r"\.\d+\.partial$", ".*.partial", other or path))
        counts[call, pattern] += 1
        name = re.sub(r"\d+", "N", pattern)
        found.setdefault((call, name), (call, pattern, counts[call, pattern], name))
    return list(found.values())


def try_errors(kind, arguments, pool, report):
    operations, _ = kind.record({}, [])
    assert not TOLD.search(kind.told), f"a run without errors tells of one: {TOLD.search(kind.told)}"
    cases = [(place, error) for place in places(operations) for error in ERRORS[place[0]]]
    chosen = cases if not arguments.sample else arguments.random.sample(cases, min(arguments.sample, len(cases)))
    found_faults = report.errors(kind, len(places(operations)), len(cases), len(chosen))

    def one(case):
        (call, pattern, nth, name), error = case
        folder = kind.folder()
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            fault = {"FAULT_ERROR": error, "FAULT_CALL": call, "FAULT_PATH": pattern, "FAULT_NTH": str(nth)}
            status, errors = kind.start(folder, [], folder / "record", fault)
            happened = any(operation[0] == "fault" for operation in read_record(folder / "record"))
            tree = read_tree(folder / "out")
            faults = [] if happened else ["the error did not come"]
            faults += judge_error(kind, error, status, errors, tree)
            # What the error took: a line that could not be written, a checkpoint that others stand in for.
            taken = [what for what in ("metrics.jsonl", "stable_checkpoint") if what in name and error != "SHORT"]
            again, text = kind.start(folder, ["--resume", "auto"])
            if again != 0:
                faults.append(f"cannot be resumed ({again}): {text.strip()[-300:]}")
            else:
                different = kind.differences(read_tree(folder / "out"))
                faults += [f"after resuming: {what}" for what in different if not any(part in what for part in taken)]
            found_faults(f"{error} in {call} {name}", faults, status != 0)
        finally:
            kind.give(folder)

    list(pool.map(one, chosen))


TOLD = re.compile(r"fail|cannot|could not|not be|No space|Input/output|I/O", re.IGNORECASE)


def judge_error(kind, error, status, errors, tree):
    """What is wrong with a run that met an error, before it is resumed."""
    if status not in (0, 1, 65, 66):
        return [f"exit status {status}: {errors.strip()[-400:]}"]
    faults = kind.broken(tree)
    for path in tree:
        if re.fullmatch(r"run/model/(stable_)?checkpoint-\d+", path) and (lacking := fault_of_checkpoint(tree, path)):
            faults.append(f"half-written: {path} ({lacking})")
        if path.startswith("run/training_progress/") and "/." not in path and tree[path] is not None:
            whole = {".json": lambda text: json.loads(text), ".svg": lambda text: text.index("</svg>"),
                     ".html": lambda text: text.index("</html>"),
                     ".jsonl": lambda text: [json.loads(line) for line in text.splitlines() if line]}
            try:
                whole[pathlib.Path(path).suffix](tree[path].decode())
            except ValueError:
                faults.append(f"half-written: {path}")
        if TEMPORARY.search("/" + path) or re.search(r"/\.[^/]*partial$", path):
            faults.append(f"left behind: {path}")
    if status != 0:
        if not TOLD.search(errors):
            faults.append(f"exit status {status} without a reason: {errors.strip()[-300:]}")
        return faults
    expected = {path for path in kind.whole if re.match(r"run/(model|training_progress)/", path) and "observers" not in path}
    different = [path for path in expected if path not in tree]
    different += [path for path in expected & {*tree} if path.endswith(("metrics.jsonl", ".safetensors", "adapter_config.json"))
                  and tree[path] != kind.whole[path]]
    if different and (error == "SHORT" or not TOLD.search(errors)):
        faults.append(f"not told: {sorted(different)[:4]}")
    results = [path for path in different if path.removeprefix("run/model/") in kind.results]
    return faults + [f"finished without {path}" for path in results]
