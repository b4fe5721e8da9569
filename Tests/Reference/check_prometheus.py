"""Checks what `meno dashboard` serves at /metrics with the parser of Prometheus' own client.

    python3 -m venv /tmp/prometheus && /tmp/prometheus/bin/pip install prometheus_client
    /tmp/prometheus/bin/python Tests/Reference/check_prometheus.py RUNS [MENO]     a folder of a run or of runs; .build/debug/meno
"""

import pathlib
import signal
import subprocess
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

root = pathlib.Path(__file__).resolve().parents[2]
runs = sys.argv[1]
meno = sys.argv[2] if len(sys.argv) > 2 else str(root / ".build/debug/meno")
dashboard = subprocess.Popen([meno, "dashboard", runs, "--port", "0"], stdout=subprocess.PIPE, text=True)
try:
    address = dashboard.stdout.readline().strip()
    answer = urllib.request.urlopen(address + "metrics")
    kind, text = answer.headers["Content-Type"], answer.read().decode()
finally:
    dashboard.send_signal(signal.SIGINT)
    dashboard.wait(20)
families = list(text_string_to_metric_families(text))
samples = [sample for family in families for sample in family.samples]
for family in families:
    print(f"{family.type:8}{family.name:34}{len(family.samples)} samples, the first {family.samples[0].value}")
names = {sample.name for sample in samples}
wanted = {"meno_step", "meno_train_loss", "meno_learning_rate", "meno_gradient_norm", "meno_tokens_per_second", "meno_eval_loss",
          "meno_eval_perplexity", "meno_memory_resident_bytes", "meno_alerts_total"}
problems = [f"{name} is missing" for name in wanted - names]
problems += [f"{family.name} has no type" for family in families if family.type == "unknown"]
problems += [f"{s.name} {s.labels} stands twice" for s in samples if samples.count(s) > 1]
if not kind.startswith("text/plain; version=0.0.4"):
    problems.append(f"the content type is {kind}")
print("\n".join(problems) or f"ok: {len(samples)} samples")
sys.exit(1 if problems else 0)
