"""The whole catalogue of this tree, with and without its caches, beside hashing the same bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from tests.bench.figure import Figure
from tests.bench.ground import Ground
from tests.checkout import ROOT, clean_environment

# In a process of its own, as in a preview; imports are not counted.
_LOAD = """
import hashlib, json, pathlib, time
from pulumi_azureml.planning import CatalogueSettings, load_catalogue
root = pathlib.Path.cwd()
settings = CatalogueSettings(computes=frozenset({"cpu-cluster"}), build_images=True, login_server="x.azurecr.io")
began = time.perf_counter()
load_catalogue(root, settings)
loaded = time.perf_counter()
for folder in ("ml", "pipelines"):
    for path in sorted((root / folder).rglob("*")):
        if path.is_file():
            hashlib.sha256(path.read_bytes()).digest()
print(json.dumps([loaded - began, time.perf_counter() - loaded]))
"""


def measure(ground: Ground) -> list[Figure]:
    """Time reading, resolving, hashing and checking every asset, cold and warm."""
    cold: list[float] = []
    warm: list[float] = []
    floor: list[float] = []
    for _ in range(ground.runs):
        cache = ground.folder()
        for samples in (cold, warm):
            loaded, hashed = _load(str(cache))
            samples.append(loaded * 1000)
            floor.append(hashed * 1000)
        shutil.rmtree(cache)
    beside = "reading and hashing the same files"
    return [
        Figure("catalogue, nothing cached (imports azure-ai-ml)", cold, "", beside, floor, "ms"),
        Figure("catalogue, nothing changed", warm, "", beside, floor, "ms"),
    ]


def _load(cache: str) -> list[float]:
    environment = {**clean_environment(), "XDG_CACHE_HOME": cache}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return list(json.loads(done.stdout.splitlines()[-1]))
