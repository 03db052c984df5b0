"""The processes of a running release, by what they are."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from amlite.core import runtime
from amlite.core.processes import OWNER_VARIABLE

# What a command line contains, by the name of the victim. The first match counts.
_SIGNS = {
    "dynamic provider": "pulumi.dynamic",
    "program": "pulumi-language-python-exec",
    "language host": "pulumi_language_python",
    "provider": "amlite.pulumi.",
    "model server": "azmlinfsrv",
    "MLflow": "mlflow",
    "Azurite": "azurite",
    "dockerd": "dockerd",
    "job": "/jobs/",
    "amlite": "amlite.server",
}
_ENGINE = "engine"
NAMES = (_ENGINE, *_SIGNS)


def name_of(process: str, command: str) -> str | None:
    """Return what a process is, from its name and its command line. None for one that nobody kills."""
    if process == "pulumi":
        return _ENGINE
    return next((name for name, sign in _SIGNS.items() if sign in command), None)


def running(state: Path) -> list[psutil.Process]:
    """Return the processes that belong to the local Azure of a state folder, or reach it."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            owned = str(state) in (environment.get(OWNER_VARIABLE), environment.get(runtime.VARIABLE))
            if owned and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def candidates(state: Path) -> dict[str, list[psutil.Process]]:
    """Return what can be killed now, by name."""
    found: dict[str, list[psutil.Process]] = {}
    for process in running(state):
        try:
            name = name_of(process.name(), " ".join(process.cmdline()))
        except psutil.Error:
            continue
        if name is not None:
            found.setdefault(name, []).append(process)
    return found
