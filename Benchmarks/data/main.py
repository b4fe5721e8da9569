"""Inspects and trains on files of 0.2, 1 and 10 GB, and prints the time and memory of each.

    Benchmarks/data/run --source dialogues.json --model smollm2-135m [--sizes 0.2 1 10] [--folder DIR]
                        [--peer PYTHON --peer-model FOLDER] [--only meno|peer] [--meno PROGRAM]

Trained are two steps: with the defaults, for which every example is prepared first, and with nothing held out, where examples are
made ahead of use; each twice. Memory is above that of the same run on 2,000 records.
"""
import argparse
import os
import pathlib
import shutil
import tempfile

import measure
import records

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--source", required=True, help="a JSON array of dialogues")
parser.add_argument("--model", default="smollm2-135m")
parser.add_argument("--sizes", type=float, nargs="+", default=[0.2, 1, 10], help="GB")
parser.add_argument("--folder", default=tempfile.gettempdir())
parser.add_argument("--peer", help="a python with datasets and trl")
parser.add_argument("--peer-model", help="the same model as a Hugging Face folder")
parser.add_argument("--only", choices=["meno", "peer"])
parser.add_argument("--meno", default="./meno")
parser.add_argument("--peer-limit", type=float, default=1, help="the largest size, in GB, that the peer is given")
arguments = parser.parse_args()
folder = pathlib.Path(tempfile.mkdtemp(dir=arguments.folder))
# A cache of its own, so that a first start finds nothing; the models are those of the user's cache.
models = pathlib.Path(os.environ.get("MENO_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "meno")).expanduser()
cache = folder / "cache"
cache.mkdir()
(cache / "models").symlink_to(models / "models")
if (models / "products.json").exists():
    shutil.copy(models / "products.json", cache)
environment = {"MENO_EXAMPLE_CACHE_GIB": "100", "MENO_CACHE": str(cache)}


def configuration(data, ahead):
    held_out = "train_fraction: 1" if ahead else "train_fraction: 0.8"
    evaluation = "no" if ahead else "steps"
    path = folder / "run.yaml"
    path.write_text(
        f"base_output_dir: {folder}/run\nmodel: {{name_or_path: {arguments.model}}}\n"
        f"data: {{path: {data}, {held_out}}}\n"
        f"training: {{max_steps: 2, logging_steps: 1, eval_strategy: {evaluation}, eval_steps: 2, load_best_model_at_end: false}}\n"
        "monitor: null\n")
    return path


def train(data, ahead):
    shutil.rmtree(folder / "run", ignore_errors=True)
    return measure.run(
        [arguments.meno, "train", str(configuration(data, ahead))], mark=r"passes of up to|step +1\b", environment=environment)


def show(name, result, base=None):
    if result["status"] != 0:
        print(f"  {name:34} failed: {result['output'][-400:]}")
        return
    first = f"first step after {result['mark']:6.1f} s ({result['mark_processor']:.0f} s of processor)  " if result["mark"] else ""
    above = f"  {(result['own'] - base) >> 20} MiB above the model" if base is not None else ""
    print(
        f"  {name:34} {first}{result['seconds']:7.1f} s, {result['processor']:6.1f} s of processor, "
        f"peak {result['own'] >> 20} MiB of its own, {result['all'] >> 20} with mapped files{above}", flush=True)


try:
    small = folder / "small.jsonl"
    records.write(small, arguments.source, 1_000_000)
    if arguments.only != "peer":
        base = {ahead: train(small, ahead) for ahead in [False, True]}
        show("small, the model alone", base[False])
    for size in arguments.sizes:
        data = folder / "data.jsonl"
        count = records.write(data, arguments.source, size * 1e9)
        print(f"{size} GB, {count} records", flush=True)
        if arguments.only != "peer":
            show("inspect", measure.run([arguments.meno, "inspect", str(data)], environment=environment))
            for ahead, name in [(True, "ahead of use"), (False, "prepared")]:
                for turn in ["first start", "second start"]:
                    show(f"{name}, {turn}", train(data, ahead), base[ahead]["own"])
        if arguments.only != "meno" and arguments.peer and size <= arguments.peer_limit:
            peer = [arguments.peer, str(pathlib.Path(__file__).with_name("peer.py")), str(data), arguments.peer_model or ""]
            cache = {"HF_DATASETS_CACHE": str(folder / "datasets"), "HF_HUB_OFFLINE": "1"}
            show("datasets, loading", measure.run(peer + ["inspect"], environment=cache))
            if arguments.peer_model:
                for turn in ["first start", "second start"]:
                    show(f"TRL, {turn}", measure.run(peer, mark=r"step 1\b", environment=cache))
            shutil.rmtree(folder / "datasets", ignore_errors=True)
        data.unlink()
finally:
    shutil.rmtree(folder, ignore_errors=True)
