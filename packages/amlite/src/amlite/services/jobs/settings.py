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
_LOCAL = "IsLocal"  # what azure-ai-ml makes of `compute: local`
# A pipeline passes the mode on: each step says whether it takes it.
_TAKE_TABLES = ("Parallel", "AutoML", "Pipeline")
_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
# Those of azure-ai-ml's JobServiceTypeNames.
_SERVICES = ("JupyterLab", "SSH", "TensorBoard", "VSCode", "RayDashboard", "Custom", "Tracking", "Studio")
_PORTS = range(1, 65_536)
# Those of the page "CLI (v2) Spark job YAML schema" and of azure-ai-ml's monitors.
_RUNTIMES = ("3.2", "3.3", "3.4", "3.5")


# The smallest and the largest number, as the reference of the YAML of jobs has them.
_RANGES: dict[tuple[str, str], tuple[int, int | None]] = {
    ("resources", "instanceCount"): (1, None),
    ("distribution", "processCountPerInstance"): (1, None),
    ("distribution", "workerCount"): (1, None),
    ("distribution", "parameterServerCount"): (0, None),
    ("limits", "maxTotalTrials"): (1, 1000),
    ("limits", "maxConcurrentTrials"): (1, 1000),
    ("earlyTermination", "evaluationInterval"): (1, None),
    ("earlyTermination", "delayEvaluation"): (0, None),
    ("earlyTermination", "truncationPercentage"): (1, 99),
}


def problems(properties: Json) -> list[str]:
    """Return the settings of a job that amlite would not honour."""
    return [
        *_numbers({**properties, **(properties.get("trial") or {})}),
        *_experiment(properties),
        *_services(properties),
        *_notifications(properties),
        *_resources((properties.get("trial") or properties).get("resources") or {}),
        *_inputs(properties),
    ]


def shared_memory(resources: Json | None) -> str:
    """Return the size of a container's shared memory, as Docker takes it."""
    given = resources or {}
    return str(given.get("shmSize") or _docker_option(given) or _SHARED_MEMORY)


def _numbers(groups: Json) -> Iterator[str]:
    for (group, name), (low, high) in _RANGES.items():
        value = (groups.get(group) or {}).get(name)
        if value is None:
            continue
        if not str(value).lstrip("-").isdecimal():
            yield f"{group}.{name} is '{value}' and must be a whole number"
        elif int(value) < low or (high is not None and int(value) > high):
            wanted = f"at least {low}" if high is None else f"from {low} to {high}"
            yield f"{group}.{name} is {value} and must be {wanted}"


def _experiment(properties: Json) -> Iterator[str]:
    name = properties.get("experimentName")
    if name is not None and _EXPERIMENT.fullmatch(str(name)) is None:
        # The service's text, as microsoft/dstoolkit-mlops-v2#180 has it.
        yield (
            "Experiment name must be 1-256 characters, start with a letter or a number, and can only contain letters, "
            f"numbers, underscores, and dashes, not '{str(name)[:300]}'"
        )


def _services(properties: Json) -> Iterator[str]:
    for name, given in (properties.get("services") or {}).items():
        kind, port = given.get("jobServiceType"), given.get("port")
        if kind is not None and str(kind).lower() not in [known.lower() for known in _SERVICES]:
            yield f"service '{name}' has the jobServiceType '{kind}', and Azure has: {', '.join(_SERVICES)}"
        if port is not None and int(port) not in _PORTS:
            yield f"service '{name}' has the port {port}, which is not from {_PORTS.start} to {_PORTS.stop - 1}"


def _notifications(properties: Json) -> Iterator[str]:
    if properties.get("notificationSetting"):
        yield "amlite sends no notifications, so leave out notification_setting"


def _resources(resources: Json) -> Iterator[str]:
    if _docker_arguments(resources) and _docker_option(resources) is None:
        yield "amlite passes --shm-size to Docker and nothing else, so leave out other docker_args"
    version = resources.get("runtimeVersion")
    if version is not None and ".".join(str(version).split(".")[:2]) not in _RUNTIMES:
        yield f"the Spark runtimeVersion is '{version}', and Azure has: {', '.join(_RUNTIMES)}"
    size = shared_memory(resources)
    if _SIZE.fullmatch(size) is None:
        yield f"shm_size is '{size}' and must be a size such as 2g"
    most, nodes = resources.get("maxInstanceCount"), resources.get("instanceCount") or 1
    if most is not None and most != nodes:
        yield f"amlite adds no nodes to a running job, so leave out max_instance_count, or set it to {nodes}"
    if _LOCAL in (resources.get("properties") or {}):
        yield "amlite has no runner for `compute: local`, so name a cluster, or leave it out for serverless compute"
    elif resources.get("properties"):
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
        if mode.startswith("Eval") and properties.get("jobType") not in _TAKE_TABLES:
            yield (
                f"input '{name}' has the mode {mode}, in which amlite gives tables to parallel and AutoML jobs only; "
                "use ro_mount or download, and read the table with the package mltable"
            )
