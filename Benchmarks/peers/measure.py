"""Runs one process and measures it: when each of its lines came, its peak resident memory, how it ended."""
import dataclasses
import os
import queue
import signal
import statistics
import subprocess
import threading
import time


@dataclasses.dataclass
class Ending:
    code: int                   # negative: the signal that ended it
    peak: float                 # MiB
    processor: float = 0        # seconds that its threads computed
    timed_out: bool = False


def available_memory():
    """MiB that can be had without swapping."""
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("MemAvailable"))


def _first_to_go():
    # Should memory run out, the kernel is to end the measured process and not something of the user's.
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def processor_seconds(pid):
    """The CPU time of the threads of a running process."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(command, environment, log, on_line=None, limit=None, tail=None, on_start=None):
    """Runs a command. `on_line(seconds, line)` is called with each line of its standard output, or of the file `tail` that it
    writes meanwhile, and with its age then; what it returns, if anything, is the new age at which the process is ended.
    `on_start` is called with the process's id.
    """
    lines = queue.Queue()
    start = time.perf_counter()
    with open(log, "a") as errors:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=errors, text=True,
                                   stdout=subprocess.DEVNULL if tail else subprocess.PIPE, preexec_fn=_first_to_go,
                                   start_new_session=True)
    if on_start:
        on_start(process.pid)
    ended = threading.Event()

    def follow():
        while not os.path.exists(tail) and not ended.is_set():
            time.sleep(0.01)
        if not os.path.exists(tail):
            return lines.put(None)
        with open(tail) as file:
            rest = ""
            while True:
                last = ended.is_set()
                rest += file.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    lines.put((time.perf_counter() - start, line))
                if last:
                    return lines.put(None)
                time.sleep(0.01)

    def read():
        for line in process.stdout:
            lines.put((time.perf_counter() - start, line))
        lines.put(None)

    result = {}

    def wait():
        # wait4 tells the memory of this very child, which Popen's own waiting would not.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        result.update(code=process.returncode, peak=usage.ru_maxrss / 1024,
                      processor=usage.ru_utime + usage.ru_stime)
        ended.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    threading.Thread(target=follow if tail else read, daemon=True).start()
    timed_out, item = False, ()
    try:
        while True:
            try:
                item = lines.get(timeout=None if limit is None else max(0.0, start + limit - time.perf_counter()))
            except queue.Empty:
                timed_out = True
                break
            if item is None:
                break
            if on_line:
                limit = on_line(*item) or limit
    finally:
        if not ended.is_set() and (timed_out or item is not None):
            os.killpg(process.pid, signal.SIGKILL)  # its data loader's workers too
        waiting.join()
    return Ending(timed_out=timed_out, **result)


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None
