"""Settings that jobs of every kind share: those that amlite refuses, because it would not honour them.

`docs/coverage.md` has the table of all settings of jobs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from amlite.core.wire import Json
from amlite.services.jobs import graph

_SIZE = re.compile(r"[1-9]\d*[bkmg]?", re.IGNORECASE)
_SHARED_MEMORY = "2g"  # the default that the page "CLI (v2) command job YAML schema" names
_READS_TABLES = ("Parallel", "AutoML")


def problems(properties: Json) -> list[str]:
    """Return the settings of a job that amlite would not honour."""
    return [
        *_notifications(properties),
        *_resources((properties.get("trial") or properties).get("resources") or {}),
        *_inputs(properties),
    ]


def shared_memory(resources: Json | None) -> str:
    """Return the size of a container's shared memory, as Docker takes it."""
    given = resources or {}
    return str(given.get("shmSize") or _docker_option(given) or _SHARED_MEMORY)


def _notifications(properties: Json) -> Iterator[str]:
    if properties.get("notificationSetting"):
        yield "amlite sends no notifications, so leave out notification_setting"


def _resources(resources: Json) -> Iterator[str]:
    if _docker_arguments(resources) and _docker_option(resources) is None:
        yield "amlite passes --shm-size to Docker and nothing else, so leave out other docker_args"
    size = shared_memory(resources)
    if _SIZE.fullmatch(size) is None:
        yield f"shm_size is '{size}' and must be a size such as 2g"
    if resources.get("properties"):
        names = ", ".join(sorted(resources["properties"]))
        yield f"amlite does not support resources.properties, so leave out {names}"


def _docker_arguments(resources: Json) -> list[str]:
    return [*shlex.split(str(resources.get("dockerArgs") or "")), *(resources.get("dockerArgsList") or ())]


def _docker_option(resources: Json) -> str | None:
    """Return the size in `--shm-size`, if Docker is given no other argument."""
    match [part for argument in _docker_arguments(resources) for part in argument.split("=")]:
        case ["--shm-size", size]:
            return size
    return None


def _inputs(properties: Json) -> Iterator[str]:
    for name, given in (properties.get("inputs") or {}).items():
        mode = graph.mode(given)
        if mode == "ReadWriteMount":
            yield f"input '{name}' has the mode rw_mount, and inputs are read-only; use ro_mount or download"
        if mode.startswith("Eval") and properties.get("jobType") not in _READS_TABLES:
            yield (
                f"input '{name}' has the mode {mode}, in which amlite gives tables to parallel and AutoML jobs only; "
                "use ro_mount or download, and read the table with the package mltable"
            )
