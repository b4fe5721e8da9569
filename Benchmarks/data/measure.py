"""Runs a program and measures time and memory."""
import os
import re
import subprocess
import threading
import time


def resident(pid):
    """The current bytes of a process's private memory, and of its mapped files."""
    try:
        text = open(f"/proc/{pid}/status").read()
    except OSError:
        return 0, 0
    sizes = {name: int(size) << 10 for name, size in re.findall(r"(RssAnon|RssFile):\s+(\d+)", text)}
    return sizes.get("RssAnon", 0), sizes.get("RssFile", 0)


def run(command, mark=None, environment=None):
    """Runs a command to its end.

    - mark: a regular expression; `mark` are the seconds, and `mark_processor` those of the processor, until a line has it.
    Peaks are in bytes: `own` of the process's own memory, `all` with the pages of files that are mapped.
    """
    begin = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=dict(os.environ, **(environment or {})))
    result = {"own": 0, "all": 0, "mark": None, "mark_processor": None, "processor": 0.0}

    def processor():
        try:
            fields = open(f"/proc/{process.pid}/stat").read().rsplit(") ", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError):
            return 0.0

    def watch():
        while process.poll() is None:
            own, mapped = resident(process.pid)
            result["own"] = max(result["own"], own)
            result["all"] = max(result["all"], own + mapped)
            result["processor"] = max(result["processor"], processor())
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if mark and result["mark"] is None and re.search(mark, line):
            result["mark"], result["mark_processor"] = time.monotonic() - begin, processor()
    process.wait()
    watcher.join()
    return dict(result, seconds=time.monotonic() - begin, status=process.returncode, output="".join(lines))
