"""Control outputs: the values that a step gives to conditions, loops and inputs that are no data.

A program writes them to the run's property `azureml.pipeline.control`, as mldesigner does, or into the output's file.
mldesigner writes both, and marks an early one in a property of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from amlite.core import bodies, contained
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import data, documents, graph
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.graph import GraphError
from amlite.services.jobs.lifecycle import JobFailure

PROPERTY = "azureml.pipeline.control"
_LONGEST = 1000  # of a property's value; see "Manage and increase quotas and limits"


def keep(platform: Platform, job: Job) -> None:
    """Keep the values that a job has written into the files of its control outputs. Raises JobFailure."""
    job = documents.get(platform, job.workspace_id, job.name)
    known, folder = values(job), job.folder(platform)
    found: Json = {}
    for name, declared in job.properties["outputs"].items():
        path = data.output_path(platform, job, name)
        if declared["jobOutputType"] not in graph.CONTROL_TYPES or name in known or not path.exists():
            continue
        try:
            with contained.opened(path, folder) as file:
                text = file.read(_LONGEST + 1).decode().strip()
        except (AzureError, UnicodeDecodeError) as error:
            raise JobFailure("UserError", f"The control output '{name}' cannot be read: {error}") from error
        if len(text) > _LONGEST:
            raise JobFailure("UserError", f"The control output '{name}' is longer than {_LONGEST} characters.")
        found[name] = text
    put(platform, job, found)


def put(platform: Platform, job: Job, found: Mapping[str, str]) -> None:
    """Set values of a job's control outputs."""
    if found:
        job = documents.get(platform, job.workspace_id, job.name)
        properties = {**job.properties["properties"], PROPERTY: json.dumps({**values(job), **found})}
        change(platform, job.id, properties={"properties": properties})


def value(platform: Platform, workspace_id: str, name: str, output: str) -> str:
    """Return the value of a job's control output. Raises JobFailure if the job has set none."""
    job = documents.get(platform, workspace_id, name)
    found = values(job)
    if output not in found:
        raise JobFailure(
            "UserError",
            f"The step '{job.properties['displayName']}' (job {name}) set no value of its control output '{output}'. "
            f"Write it into the file ${{{{outputs.{output}}}}}, or return it from a component of mldesigner.",
        )
    return found[output]


def truth(platform: Platform, workspace_id: str, name: str, output: str) -> bool:
    """Return the value of a boolean control output. Raises JobFailure if it is none."""
    text = value(platform, workspace_id, name, output).lower()
    if text not in ("true", "false"):
        raise JobFailure("UserError", f"The control output '{output}' of job {name} is '{text}', not true or false.")
    return text == "true"


def taken(platform: Platform, workspace_id: str, given: Json) -> Json:
    """Return an input with the value of the control output that it names. Others stay as they are."""
    if "step" not in given or given["jobInputType"] not in graph.CONTROL_TYPES:
        return given
    found = value(platform, workspace_id, given["step"], given["output"])
    try:
        graph.check_literal(given["output"], found, {"type": given["jobInputType"]})
    except GraphError as error:
        raise JobFailure("UserError", f"The control output of job {given['step']}: {error}") from error
    return {"jobInputType": "literal", "value": found}


def values(job: Job) -> dict[str, str]:
    """Return the values of a job's control outputs. Raises JobFailure for a property that is no JSON object."""
    properties = job.properties.get("properties") or {}
    early = {
        name.removeprefix(f"{PROPERTY}."): text for name, text in properties.items() if name.startswith(f"{PROPERTY}.")
    }
    try:
        written = bodies.parse_object(str(properties.get(PROPERTY) or "").encode())
    except ValueError as error:
        text = f"The property '{PROPERTY}' of job {job.name} is no JSON object: {error}"
        raise JobFailure("UserError", text) from error
    return {**early, **{name: graph.text(found) for name, found in written.items()}}
