"""Values of a job that azure-ai-ml sends and Azure refuses: its experiment, its services and its Spark runtime.

Sources: the service's message in microsoft/dstoolkit-mlops-v2#180; `JobServiceTypeNames` in azure-ai-ml; the page "CLI
(v2) Spark job YAML schema", and the runtimes of azure-ai-ml's monitors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_azureml.planning.assets import Definition
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.jobs import mapping
from pulumi_azureml.planning.problems import Problem, listing, suggestion

_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
_RUNTIMES = ("3.2", "3.3", "3.4", "3.5")
# azure-ai-ml takes any text as the type of a service, and sends none but these.
_SERVICES = ("jupyter_lab", "ssh", "tensor_board", "vs_code")
_OTHER_SERVICES = ("custom", "ray_dashboard", "studio", "tracking")
_MOST_PORT = 65_535


def check_runs(document: Document, definition: Definition) -> Iterator[Problem]:
    """Report such values of a job, of a schedule's job and of their steps."""
    yield from _check_run(document, definition, ())
    job = definition.get("create_job")
    if isinstance(job, dict):
        yield from _check_run(document, job, ("create_job",))


def _check_run(document: Document, run: Definition, keys: KeyPath) -> Iterator[Problem]:
    name = run.get("experiment_name")
    if isinstance(name, str) and "${{" not in name and not _EXPERIMENT.fullmatch(name):
        fix = "use 1 to 256 letters, digits, underscores and hyphens, and begin with a letter or digit"
        yield document.problem((*keys, "experiment_name"), f"'{name}' is not a name for an experiment", fix)
    runs = {keys: run, **{(*keys, "jobs", name): mapping(step) for name, step in mapping(run.get("jobs")).items()}}
    for place, each in runs.items():
        version = mapping(each.get("resources")).get("runtime_version")
        if version is not None and ".".join(str(version).split(".")[:2]) not in _RUNTIMES:
            at = (*place, "resources", "runtime_version")
            fix = f"use a Spark runtime of Azure: {listing(_RUNTIMES)}"
            yield document.problem(at, f"'{_dotted(at)}' cannot be '{version}'", fix)
        for name, service in mapping(each.get("services")).items():
            yield from _check_service(document, (*place, "services", name), mapping(service))


def _check_service(document: Document, keys: KeyPath, service: Mapping[str, Any]) -> Iterator[Problem]:
    kind, port, nodes = (service.get(key) for key in ("type", "port", "nodes"))
    if isinstance(kind, str) and _plain(kind) not in map(_plain, (*_SERVICES, *_OTHER_SERVICES)):
        advice = suggestion(kind, _SERVICES, otherwise=f"use one of {listing(_SERVICES)}")
        yield document.problem((*keys, "type"), f"'{_dotted((*keys, 'type'))}' cannot be '{kind}'", advice)
    if isinstance(port, int) and not 1 <= port <= _MOST_PORT:
        yield document.problem((*keys, "port"), f"'{_dotted((*keys, 'port'))}' cannot be {port}", "use 1 to 65535")
    if nodes not in (None, "all"):
        message = f"'{_dotted((*keys, 'nodes'))}' cannot be '{nodes}'"
        yield document.problem((*keys, "nodes"), message, "write `all`, or remove it")


def _plain(kind: str) -> str:
    return kind.lower().replace("_", "")


def _dotted(keys: KeyPath) -> str:
    return ".".join(map(str, keys))
