"""What the benchmarks run on: a fresh clone with its stack up, and peers in environments of their own."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp

from tests.bench.figure import timed
from tests.checkout import ROOT, Checkout, checkout

# Peers are pinned, so that figures of two days can be compared.
PEERS = {
    "kfp": "kfp==2.17.0",
    "moto": "moto[server]==5.2.5",
    "pandas": "pandas[parquet]==3.1.1",
    "pyspark": "pyspark==3.5.9",
}


@dataclass(frozen=True)
class Deployed:
    """A clone whose stack is up; what `make up` printed, and how many seconds it took."""

    clone: Checkout
    printed: str
    seconds: float


@dataclass
class Ground:
    """What the benchmarks of one run share, made on first use and undone at the end; `runs` samples each."""

    runs: int
    undo: ExitStack = field(default_factory=ExitStack)

    def folder(self) -> Path:
        """Return a new empty folder."""
        return Path(mkdtemp(prefix="azureml-platform-bench-"))

    @cached_property
    def deployed(self) -> Deployed:
        """A fresh clone, brought up by `make up`."""
        clone = self.undo.enter_context(checkout(self.folder()))
        took: list[float] = []
        with timed(took):
            printed = clone.run("make up")
        return Deployed(clone, printed, took[0])

    def peer(self, name: str) -> Path:
        """Return the folder of programs of a peer's virtual environment, kept in the user's cache."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "azureml-platform" / "bench"
        home = cache / PEERS[name].replace("[", "-").replace("]", "")
        if not (home / "complete").exists():
            uv = str(ROOT / ".venv" / "bin" / "uv")
            subprocess.run([uv, "venv", "--quiet", "--clear", str(home)], check=True)
            python = str(home / "bin" / "python")
            subprocess.run([uv, "pip", "install", "--quiet", "--python", python, PEERS[name]], check=True)
            (home / "complete").touch()
        return home / "bin"
