"""Checks `report_to: mlflow` against a real MLflow server on loopback: what the server has is what the run recorded, also when the
run is killed and resumed, and when the server is away for a while or until after the end.

    python3 -m venv /tmp/mlflow && /tmp/mlflow/bin/pip install mlflow
    /tmp/mlflow/bin/python Tests/Reference/check_mlflow.py [MENO]     .build/debug/meno unless given; two minutes
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import mlflow
from mlflow.tracking import MlflowClient

root = pathlib.Path(__file__).resolve().parents[2]
meno = sys.argv[1] if len(sys.argv) > 1 else str(root / ".build/debug/meno")
upgrade = root / "Tests/Reference/fixtures/upgrade"
folder = pathlib.Path(tempfile.mkdtemp())
secret = "not-to-be-found-anywhere"
failures = 0


def check(what, holds, more=""):
    global failures
    failures += not holds
    print(f"{'ok' if holds else 'FAILED':8}{what} {'' if holds else more}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        log = open(folder / "server.log", "a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")],
            stdout=log, stderr=log, start_new_session=True, cwd=folder)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                MlflowClient(self.uri).search_experiments(max_results=1)
                return
            except Exception:
                time.sleep(0.2)
        sys.exit("the server does not start: see " + str(folder / "server.log"))

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def configuration(name, steps):
    file = folder / f"{name}.yaml"
    file.write_text(f"""
base_output_dir: {folder / name}
model: {{name_or_path: {upgrade / 'model'}, device: cpu}}
data: {{path: {upgrade / 'texts.jsonl'}, max_length: 64}}
lora: {{r: 4, lora_alpha: 8, target_modules: all-linear}}
training: {{max_steps: {steps}, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, logging_steps: 2, eval_steps: 4,
           save_steps: 10, learning_rate: 1.0e-3, report_to: [mlflow], run_name: "{name}", load_best_model_at_end: false}}
monitor: {{probes: {{when: never}}}}
""")
    return file


def environment(server):
    return dict(os.environ, MLFLOW_TRACKING_URI=server.uri, MLFLOW_EXPERIMENT_NAME="meno checks", OMP_NUM_THREADS="1",
                MLFLOW_TRACKING_TOKEN=secret, MLFLOW_TAGS='{"team": "a"}')


def train(server, file, *arguments):
    result = subprocess.run([meno, "train", str(file), *arguments], env=environment(server), capture_output=True, text=True)
    if result.returncode:
        print(result.stderr[-3000:])
    return result


def run_of(server, name):
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("meno checks")
    return client, client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")


def compare(server, name, status="FINISHED"):
    """Compares the server's data with trainer_state.json and events.jsonl."""
    client, runs = run_of(server, name)
    check(f"{name}: one run", len(runs) == 1, len(runs))
    run = runs[0]
    check(f"{name}: {status}", run.info.status == status, run.info.status)
    check(f"{name}: parameters and tags", run.data.params.get("learning_rate") == "0.001" and run.data.params.get("lora.r") == "4"
          and run.data.params.get("device") == "cpu" and run.data.tags.get("team") == "a", run.data.params)
    events = [json.loads(line) for line in open(folder / name / "training_progress/events.jsonl") if line.strip()]
    steps = {e["step"]["_0"]["step"]: e["step"]["_0"] for e in events if "step" in e}
    evaluations = {e["evaluated"]["_0"]["step"]: e["evaluated"]["_0"] for e in events if "evaluated" in e}
    wanted = {
        "loss": {s: (steps[s]["loss"] + steps[s - 1]["loss"]) / 2 for s in steps if s % 2 == 0},
        "grad_norm": {s: steps[s]["gradientNorm"] for s in steps if s % 2 == 0},
        "learning_rate": {s: steps[s]["learningRate"] for s in steps if s % 2 == 0},
        "epoch": {s: steps[s]["epoch"] for s in steps if s % 2 == 0},
        "eval_loss": {s: e["loss"] for s, e in evaluations.items()},
        "eval_token_accuracy": {s: e["tokenAccuracy"] for s, e in evaluations.items()},
    }
    for key, values in wanted.items():
        history = client.get_metric_history(run.info.run_id, key)
        sent = {m.step: m.value for m in history}
        check(f"{name}: {key}, {len(values)} values, each once",
              len(history) == len(values) and sent.keys() == values.keys()
              and all(abs(sent[s] - values[s]) <= 1e-12 * max(1, abs(values[s])) for s in values),
              f"{len(history)} sent, steps {sorted(set(values) ^ set(sent))}")


def main():
    server = Server()
    print(f"MLflow {mlflow.__version__} at {server.uri}")
    try:
        file = configuration("plain", 20)
        result = train(server, file)
        check("plain: trained", result.returncode == 0)
        compare(server, "plain")

        file = configuration("killed", 400)
        process = subprocess.Popen([meno, "train", str(file), "--quiet"], env=environment(server), stderr=subprocess.DEVNULL)
        while not (folder / "killed/model/checkpoint-30").exists() and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        process.wait()
        # It may have been done with all of its steps.
        result = train(server, file, "--resume", "auto", "--max-steps", "400")
        check("killed: resumed", result.returncode == 0)
        compare(server, "killed")

        file = configuration("outage", 800)
        process = subprocess.Popen([meno, "train", str(file)], env=environment(server), stderr=subprocess.PIPE, text=True)
        while not (folder / "outage/model/checkpoint-20").exists() and process.poll() is None:
            time.sleep(0.02)
        server.stop()
        time.sleep(2)
        check("outage: the server was away while the run trained", process.poll() is None)
        server.start()
        errors = process.communicate()[1]
        check("outage: training goes on", process.returncode == 0)
        check("outage: said once, and that it is over",
              errors.count("unsent values are sent when") == 1 and errors.count("is reachable again") == 1)
        compare(server, "outage")

        file = configuration("late", 20)
        server.stop()
        start = time.monotonic()
        result = train(server, file)
        check(f"late: trained without a server, in {time.monotonic() - start:.0f} s", result.returncode == 0)
        check("late: what was not sent is said", "values of the run were not sent" in result.stderr)
        server.start()
        result = subprocess.run([meno, "track", str(folder / "late")], env=environment(server), capture_output=True, text=True)
        check("late: meno track", result.returncode == 0, result.stderr)
        compare(server, "late")

        found = [p for p in folder.rglob("*") if p.is_file() and "mlflow.db" not in p.name and "server.log" not in p.name
                 and secret.encode() in p.read_bytes()]
        check("the token is in no file of a run", not found, found)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failures else 0)


main()
