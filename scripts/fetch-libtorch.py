#!/usr/bin/env python3
"""Extracts libtorch from pip's `torch` wheel into the user's cache.

Prints the folder with `lib/` and `include/`; progress and errors go to standard error. Only scripts/bootstrap
runs this: Meno itself needs no Python. Needs Python 3.8 and pip, nothing else.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

MB = 1_000_000

# In the wheel, but used only by Python or by PyTorch's tests.
NOT_NEEDED = re.compile(
    r"lib(torch_python|shm|aoti_custom_ops|backend_with_compiler|jitbackend_test|torchbind_test|torch_global_deps)\b"
)
# Libraries of the CUDA build that are not needed on a CPU.
GPU_ONLY = re.compile(r"lib(torch_cuda|torch_nvshmem|c10_cuda|caffe2_nvrtc|torch_cuda_linalg|cudnn|nccl|nvshmem)")


class Failure(Exception):
    """What went wrong and what to do, for the user."""


def say(text):
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def read_pins(path):
    """The KEY="value" lines of versions.env; values may span lines."""
    pairs = dict(re.findall(r'^(\w+)="([^"]*)"', path.read_text(), re.MULTILINE))
    pairs["MENO_SHA256"] = dict(line.split() for line in pairs["MENO_SHA256"].split("\n") if line.strip())
    return pairs


def platform_tags():
    """The wheel platform tags that suit this machine, the wanted one first."""
    machine = {"amd64": "x86_64", "arm64": "arm64"}.get(platform.machine().lower(), platform.machine())
    if sys.platform == "linux" and machine in ("x86_64", "aarch64"):
        # pip compares tags literally, and the wheels of torch's dependencies use many different ones.
        tags = [f"_2_{minor}" for minor in range(28, 4, -1)] + ["2014", "2010", "1"]
        return [f"manylinux{tag}_{machine}" for tag in tags]
    if sys.platform == "darwin" and machine == "arm64":
        return [f"macosx_{major}_0_arm64" for major in (15, 14, 13, 12, 11)]
    raise Failure(
        f"there is no torch wheel for {sys.platform} on {machine}. Point MENO_LIBTORCH to a libtorch of your own "
        "(a folder with lib/ and include/)."
    )


def require_space(folder, size, what):
    free = shutil.disk_usage(folder).free
    if free < size:
        raise Failure(
            f"{folder}: {what} needs {size / MB:,.0f} MB and {free / MB:,.0f} MB are free. Make room, or set "
            "MENO_CACHE to a folder on another disk."
        )


def folder_size(folder):
    total = 0
    for root, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(root, file)).st_size
            except FileNotFoundError:
                pass
    return total


# --- pip -------------------------------------------------------------------------------------------------------------

NETWORK = re.compile(
    r"name resolution|Name or service not known|Network is unreachable|Connection (refused|reset|aborted)|"
    r"NewConnectionError|ConnectTimeout|ReadTimeout|timed out|ProxyError|SSLError|Max retries exceeded",
    re.IGNORECASE,
)
NOT_OFFERED = re.compile(r"No matching distribution|Could not find a version")


def pip_download(requirements, python, folder, dependencies=False):
    """Downloads wheels into `folder`. False where pip has no such version; raises for anything else."""
    staging = folder / ".incoming"
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "tmp").mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=off"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(staging / "wheels")]
    command += [] if dependencies else ["--no-deps"]
    command += ["--implementation", "cp", "--abi", f"cp{python}", "--python-version", python]
    for tag in platform_tags():
        command += ["--platform", tag]
    # pip unpacks into TMPDIR before it copies: a small /tmp must not fail a download that the cache has room for.
    environment = dict(os.environ, TMPDIR=str(staging / "tmp"), LC_ALL="C.UTF-8", PYTHONUTF8="1")
    log = staging / "pip.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command + requirements, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
        try:
            follow(process, staging)
        except BaseException:
            process.kill()
            process.wait()
            raise
    text = log.read_text(errors="replace")
    if process.returncode == 0:
        for wheel in (staging / "wheels").iterdir():
            os.replace(wheel, folder / wheel.name)
        names = [wheel_name for wheel_name in re.findall(r"([\w.+%-]+\.whl)", text)]
        shutil.rmtree(staging)
        return names or True
    tail = "\n".join("    " + line for line in text.strip().splitlines()[-6:])
    if NETWORK.search(text):
        raise Failure(
            f"pip cannot reach its package index, so {' '.join(requirements)} cannot be downloaded:\n{tail}\n"
            "  Check the network, and the proxy or index in pip's configuration (`python3 -m pip config list`). On a "
            "machine without a network set MENO_LIBTORCH to an unpacked libtorch, or PIP_FIND_LINKS to a folder that "
            "holds the wheel."
        )
    if NOT_OFFERED.search(text):
        return False
    raise Failure(f"pip download {' '.join(requirements)} failed with status {process.returncode}:\n{tail}")


def follow(process, folder):
    """Waits for pip, showing on a terminal how much has arrived."""
    shown = False
    while True:
        try:
            process.wait(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            if sys.stderr.isatty():
                print(f"\rbootstrap:   {folder_size(folder) / MB:,.0f} MB ", end="", file=sys.stderr, flush=True)
                shown = True
    if shown:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


# --- checksums -------------------------------------------------------------------------------------------------------


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def verify(wheel, pins, record):
    """Checks a wheel against the pinned sum, else against the one recorded when the file was first seen."""
    actual = sha256(wheel)
    seen = dict(line.split() for line in record.read_text().splitlines()) if record.exists() else {}
    pinned = pins["MENO_SHA256"].get(wheel.name)
    expected = pinned or seen.get(wheel.name)
    if expected is None:
        say(f"{wheel.name} has no pinned checksum: taking it on trust, SHA-256 {actual} (kept in {record})")
        with open(record, "a") as file:
            file.write(f"{wheel.name} {actual}\n")
    elif expected != actual:
        wheel.unlink()
        source = "scripts/versions.env" if pinned else str(record)
        raise Failure(
            f"{wheel.name}: SHA-256 is {actual}, and {source} says {expected}. The file was removed; run "
            "scripts/bootstrap again. If it stays so, the index serves another file under this name."
        )


# --- unpacking -------------------------------------------------------------------------------------------------------


def wanted(name, cuda):
    """Whether a file of a wheel is needed to build against libtorch and to run."""
    if name.endswith("/") or ".." in name.split("/") or name.startswith("/"):
        return False
    base = name.rsplit("/", 1)[-1]
    if name.startswith("torch/include/"):
        return True
    if name.startswith("torch/lib/"):
        library = name.count("/") == 2 and (".so" in base or base.endswith(".dylib"))
        return library and not NOT_NEEDED.match(base) and (cuda or not GPU_ONLY.match(base))
    if name.startswith(("torch.libs/", "nvidia/")):
        return ".so" in base
    return bool(re.search(r"^torch-[^/]*\.dist-info/(licenses/)?(LICENSE|NOTICE)$", name))


def unpack(wheels, version, target, cuda):
    """Unpacks into a sibling that is renamed when whole, so that a kill leaves nothing half."""
    staging = target.parent / f".staging-{target.name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    members = []
    for wheel in wheels:
        try:
            archive = zipfile.ZipFile(wheel)
        except zipfile.BadZipFile as error:
            wheel.unlink()
            raise Failure(f"{wheel.name} is not a wheel ({error}). It was removed; run scripts/bootstrap again.")
        members += [(archive, item) for item in archive.infolist() if wanted(item.filename, cuda)]
    size = sum(item.file_size for _, item in members)
    require_space(staging, size + 50 * MB, "unpacking libtorch")
    say(f"unpacking {len(members):,} files, {size / MB:,.0f} MB")
    for archive, item in members:
        archive.extract(item, staging)
    for part in ("lib", "include/torch/csrc/api/include/torch/torch.h"):
        if not (staging / "torch" / part).exists():
            raise Failure(f"torch {version}: the wheel holds no torch/{part}. Choose another TORCH_VERSION.")
    (staging / "torch" / "build-version").write_text(version + "\n")
    os.sync()
    os.replace(staging, target)


# --- the whole -------------------------------------------------------------------------------------------------------


def cuda_requirements(wheel, everything):
    """What a CUDA build needs beside itself: for a CPU the runtime and the profiling library only."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    found = []
    for line in lines:
        match = re.match(r"Requires-Dist: ((?:nvidia|cuda-toolkit)[^;]*)", line)
        if not match:
            continue
        requirement = re.sub(r"[() ]", "", match.group(1))
        if requirement.startswith("cuda-toolkit"):
            found.append(requirement if everything else re.sub(r"\[.*\]", "[cudart,cupti]", requirement))
        elif everything or re.match(r"nvidia-cuda-(runtime|cupti)", requirement):
            found.append(requirement)
    return found


def download_torch(version, cuda, python, downloads):
    """The wheel of torch, downloaded before or now. A CPU build is preferred where no GPU is to be used."""
    own = f"{sys.version_info[0]}{sys.version_info[1]}"
    pythons = [python] + ([own] if own != python else [])
    builds = [version] if cuda or "+" in version or sys.platform == "darwin" else [version + "+cpu", version]
    machine = platform_tags()[0].rsplit("_", 1)[-1] if sys.platform == "darwin" else platform.machine()
    for build in builds:
        for tag in pythons:
            for wheel in downloads.glob(f"torch-{build}-cp{tag}-*{machine}.whl"):
                return wheel
    for build in builds:
        size = 250 if build.endswith("+cpu") else 1000 if not cuda else 4500
        for tag in pythons:
            require_space(downloads, size * MB, f"downloading torch {build}")
            say(f"downloading torch {build} (about {'200 MB' if size == 250 else '500 to 900 MB'})")
            # `===` keeps pip from taking a +local build for a plain version.
            if pip_download([f"torch==={build}"], tag, downloads):
                return next(downloads.glob(f"torch-{build}-cp{tag}-*.whl"))
            say(f"pip offers no torch {build} for CPython {tag[0]}.{tag[1:]} on this platform")
    raise Failure(
        f"pip offers no torch {version} for this platform. `python3 -m pip index versions torch` lists what there is; "
        "choose with TORCH_VERSION=…, or set MENO_LIBTORCH to a libtorch of your own."
    )


def provide(options, pins):
    """The torch folder in the cache, made if it is not there."""
    version = options.version
    machine = platform.machine()
    cache = options.cache / "libtorch"
    names = [f"{version}-cuda"] if options.cuda else [f"{version}+cpu", version]
    for name in names:
        if (cache / f"{name}-{machine}" / "torch" / "build-version").exists():
            return cache / f"{name}-{machine}" / "torch"

    downloads = options.cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    record = options.cache / "checksums.txt"
    started = time.monotonic()
    wheels = [download_torch(version, options.cuda, pins["MENO_TORCH_PYTHON"], downloads)]
    verify(wheels[0], pins, record)
    requirements = [] if "+cpu" in wheels[0].name else cuda_requirements(wheels[0], options.cuda)
    if requirements and sys.platform == "linux":
        say(f"this is a CUDA build; downloading what it needs beside it: {', '.join(requirements)}")
        before = set(downloads.glob("*.whl"))
        names_downloaded = pip_download(requirements, pins["MENO_TORCH_PYTHON"], downloads, dependencies=True)
        if not names_downloaded:
            raise Failure(f"pip offers no {', '.join(requirements)} for this platform.")
        extra = sorted(set(downloads.glob("nvidia_*.whl")) | (set(downloads.glob("*.whl")) - before - set(wheels)))
        for wheel in extra:
            verify(wheel, pins, record)
        wheels += extra
    build = wheels[0].name.split("-")[1]
    target = cache / f"{build + '-cuda' if options.cuda else build}-{machine}"
    unpack(wheels, build, target, options.cuda)
    for wheel in wheels:
        wheel.unlink()
    say(f"libtorch {build} is in {target} ({time.monotonic() - started:.0f} s)")
    return target / "torch"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--pins", type=Path, required=True)
    options = parser.parse_args()
    if not re.fullmatch(r"\d+\.\d+\.\d+(\+\w+)?", options.version):
        raise Failure(f"TORCH_VERSION={options.version} is not a version such as 2.13.0.")
    if tuple(int(part) for part in options.version.split("+")[0].split(".")[:2]) < (2, 7):
        raise Failure(f"torch {options.version} is too old: Meno needs 2.7 or newer (the C++11 ABI).")
    options.cache.mkdir(parents=True, exist_ok=True)
    with open(options.cache / "libtorch.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another bootstrap is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        print(provide(options, read_pins(options.pins)))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"bootstrap: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"bootstrap: {error.filename or ''}: {error.strerror or error}")
