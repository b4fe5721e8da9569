"""Asks `huggingface_hub` whether it finds what Meno wrote into the Hub's cache, and lets it write what Meno is to find.

    pip install huggingface_hub
    python Tests/Reference/compare_hub_cache.py find CACHE ID COMMIT ABSENT NAME...      offline
    python Tests/Reference/compare_hub_cache.py files CACHE ID ABSENT NAME...            one by one, from HF_ENDPOINT
    python Tests/Reference/compare_hub_cache.py snapshot CACHE ID NAME...                all at once, from HF_ENDPOINT
    python Tests/Reference/compare_hub_cache.py hold CACHE ID ETAG SECONDS               holds the lock of a blob

Tests/MenoHubTests/PythonHubTests.swift runs it with a server of its own.
"""
import os
import sys
import time

mode, cache, repository, *rest = sys.argv[1:]
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
if mode == "find":
    os.environ["HF_HUB_OFFLINE"] = "1"

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.file_download import _CACHED_NO_EXIST
from huggingface_hub.utils import WeakFileLock


def find(commit, absent, *names):
    for name in names:
        path = huggingface_hub.hf_hub_download(repository, name, cache_dir=cache)
        assert path == f"{cache}/models--{repository.replace('/', '--')}/snapshots/{commit}/{name}", path
        print(name, os.path.getsize(path))
    # A program that tries whether a file is there learns that it is not, without a network.
    assert huggingface_hub.try_to_load_from_cache(repository, absent, cache_dir=cache) is _CACHED_NO_EXIST
    folder = huggingface_hub.snapshot_download(repository, cache_dir=cache)
    assert sorted(os.listdir(folder)) == sorted(names), os.listdir(folder)
    scan = huggingface_hub.scan_cache_dir(cache)
    assert not scan.warnings, scan.warnings
    (found,) = scan.repos
    (revision,) = found.revisions
    assert (found.repo_id, found.repo_type, revision.commit_hash) == (repository, "model", commit)
    assert revision.refs == {"main"} and len(revision.files) == len(names)
    print("bytes", found.size_on_disk)


def files(absent, *names):
    for name in names:
        huggingface_hub.hf_hub_download(repository, name, cache_dir=cache)
    try:
        huggingface_hub.hf_hub_download(repository, absent, cache_dir=cache)
        raise AssertionError(f"{absent} is there")
    except EntryNotFoundError:
        pass


def snapshot(*names):
    huggingface_hub.snapshot_download(repository, cache_dir=cache, allow_patterns=list(names))


def hold(etag, seconds):
    folder = f"{cache}/.locks/models--{repository.replace('/', '--')}"
    os.makedirs(folder, exist_ok=True)
    with WeakFileLock(f"{folder}/{etag}.lock"):
        print("held", flush=True)
        time.sleep(float(seconds))


{"find": find, "files": files, "snapshot": snapshot, "hold": hold}[mode](*rest)
