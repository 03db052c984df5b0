"""Finds plugins of Pulumi that a killed engine left behind, among the processes that reach one amlite.

`amlite run` starts the engine in the user's name, so its plugins are not amlite's children and have no owner's mark.
They have the variables of `amlite run`. Only plugins without a running engine count, and nothing else that a user ran.
"""

from __future__ import annotations

from pathlib import Path, PurePath

import psutil

from amlite.core import runtime
from amlite.core.processes import end_all

_ENGINE = "pulumi"
_PROGRAMS = ("pulumi-language-", "pulumi-resource-", "pulumi_language_python")
_MODULE = "pulumi.dynamic"


def end_left(state: Path) -> int:
    """End the plugins without an engine that reach the amlite of a state folder. Return their number."""
    left = [process for process in psutil.process_iter() if _is_left(process, str(state))]
    end_all(left)
    return len(left)


def _is_left(process: psutil.Process, state: str) -> bool:
    try:
        environment = process.environ()
        if environment.get(runtime.VARIABLE) != state or runtime.INSIDE not in environment:
            return False
        words = process.cmdline()
        is_plugin = _MODULE in words or any(PurePath(word).name.startswith(_PROGRAMS) for word in words[:4])
        return is_plugin and all(parent.name() != _ENGINE for parent in process.parents())
    except (psutil.Error, OSError):
        return False
