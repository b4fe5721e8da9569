"""What comparisons measure of processes: resident memory, time, and an evaluation by `meno`. Needs nothing but Python, so
that a process which imports it stays small: the kernel counts what a parent held towards the peak of the program it starts.
"""
import json
import subprocess
import threading
import time


def memory(key, pid="self"):
    """MiB of a line of a process's status: VmRSS (resident now) or VmHWM (its peak)."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))


class PeakMemory:
    """The highest resident memory of this process while the block runs, and what it was before, in MiB."""

    def __enter__(self):
        self.before = self.peak = memory("VmRSS")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, memory("VmRSS"))

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    @property
    def above(self):
        return self.peak - self.before


class EvaluationFailed(Exception):
    pass


def evaluate_with_meno(program, arguments, limit=None, environment=None):
    """`meno evaluate --json`: its result, the peak resident memory while it evaluated, and what was resident when that began
    (the model's own), in MiB. `limit`: seconds after which it is ended (TimeoutError).
    """
    process = subprocess.Popen([program, "evaluate", *map(str, arguments), "--json"], env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    series, begin = [], time.perf_counter()
    while process.poll() is None:
        try:
            series.append((time.perf_counter() - begin, memory("VmRSS", process.pid)))
        except (StopIteration, FileNotFoundError, ProcessLookupError):
            pass  # it ended between the two looks
        if limit and series and series[-1][0] > limit:
            process.kill()
            process.wait()
            raise TimeoutError
        time.sleep(0.02)
    end = time.perf_counter() - begin
    output = process.stdout.read()
    if process.returncode:
        raise EvaluationFailed(f"meno evaluate ended with {process.returncode}")
    result = json.loads(output)
    evaluating = [value for at, value in series if at > end - result["seconds"] - 0.3]
    return result, max(evaluating), evaluating[0]
