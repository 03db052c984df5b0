"""A command line in an environment, in Python, R or any other language that the environment brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services import environments
from amlite.services.environments import Prepared
from amlite.services.jobs import command, data, distribution
from amlite.services.jobs.documents import Job


def problems(properties: Json) -> list[str]:
    """Return the undeclared names in the command."""
    return [
        *command.check(properties["command"]),
        *command.problems(properties["command"], properties.get("inputs") or {}, properties.get("outputs") or {}),
    ]


def from_node(component: Json, spec: Json) -> Json:
    """Return the command, its code and its environment, in which the node has the last word."""
    return {
        "command": component["command"],
        "environmentId": spec.get("environment") or component["environment"],
        **({"codeId": component["code"]} if component.get("code") else {}),
        **distribution.from_node(component, spec),
    }


async def prepare(platform: Platform, job: Job, log: Callable[[str], None], who: Principal | None) -> Prepared:
    """Return the job's environment."""
    return await environments.prepare(platform, job.properties["environmentId"], log, principal=who, substitute=True)


def program(
    job: Job, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path], folder: Path, prepared: Prepared
) -> tuple[list[str], dict[str, str]]:
    """Return a shell with the command."""
    given = {name: data.as_given(job, name, path) for name, path in outputs.items()}
    return ["bash", "-c", command.line(job.properties["command"], inputs, given)], {}
