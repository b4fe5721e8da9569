"""The Python environment of the peers: outside the clone, made once for each state of requirements.txt."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

here = pathlib.Path(__file__).parent


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("MENO_CACHE") or os.path.join(home, "meno"))


def requirements(offers_cpu_build):
    """The pinned versions. Uses torch without CUDA if pip offers it: it computes the same and is 2 GB smaller."""
    lines = (here / "requirements.txt").read_text().split()
    return [line + "+cpu" if line.startswith("torch==") and offers_cpu_build else line for line in lines]


def offers_cpu_build(python):
    version = next(line for line in requirements(False) if line.startswith("torch==")).removeprefix("torch==")
    found = subprocess.run([python, "-m", "pip", "index", "versions", "torch"], capture_output=True, text=True)
    return f"{version}+cpu" in found.stdout


def python(say):
    """The environment's interpreter. Sets the environment up first if it is missing or its requirements have changed."""
    folder = cache() / "peers-venv"
    interpreter, mark = folder / "bin/python", folder / "requirements.sha256"
    state = hashlib.sha256((here / "requirements.txt").read_bytes()).hexdigest()
    if interpreter.exists() and mark.exists() and mark.read_text() == state:
        return str(interpreter)
    say(f"setting up {folder} (about 3 GB on disk, once)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # pip's words go to standard error: standard output is the table's.
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        *requirements(offers_cpu_build(interpreter))], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        sys.exit(f"peers: the environment could not be set up ({error}). Python 3.11 or newer with venv is needed "
                 "(Debian: python3-venv); --python names an environment that is there already.")
    mark.write_text(state)
    return str(interpreter)
