"""One job in detail: its steps, inputs, outputs and lineage."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console

from infra.outputs import StackOutputs
from pulumi_azureml.operations import REGISTRATION, Run, job_output
from release.jobs.measurements import inputs
from release.jobs.records import Job, summary
from release.terminal.tables import columns, duration, grid, moment, seconds
from release.workspace import client

_COMPONENT = re.compile(r".*/components/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", re.IGNORECASE)
_COMMITS = ("azureml.git.commit", "mlflow.source.git.commit")


def details(outputs: StackOutputs, job: Job) -> dict[str, Any]:
    """Return everything about a job, for JSON."""
    runs = job.runs
    is_pipeline = job.properties.get("jobType") == "Pipeline"
    steps = runs.children(job.name) if is_pipeline else []
    return {
        **summary(job, runs.get(job.name)),
        "description": job.properties.get("description"),
        "tags": job.properties.get("tags") or {},
        "steps": [_step(job, step) for step in sorted(steps, key=lambda step: step.started or "~")],
        "inputs": inputs(job),
        "outputs": {
            name: f"azureml://jobs/{job.name}/outputs/{name}/paths/"
            for name in job.properties.get("outputs") or {}
            if name != "default"
        },
        "lineage": _lineage(outputs, job),
    }


def print_details(console: Console, found: dict[str, Any]) -> None:
    """Print what `details` returns."""
    about = grid(f"job {found['job']}")
    about.add_row("pipeline", found["pipeline"])
    about.add_row("status", found["status"])
    about.add_row("submitted", f"{moment(found['created'])} UTC by {found['created_by'] or 'unknown'}")
    about.add_row("duration", duration(found["seconds"]))
    about.add_row("studio", found["studio_url"] or "-")
    console.print(about)
    if found["steps"]:
        rows = (
            (each["step"], _status(each), moment(each["started"]), duration(each["seconds"]), each["component"] or "-")
            for each in found["steps"]
        )
        console.print(columns(("step", "status", "started (UTC)", "duration", "component"), rows, "steps"))
        for each in found["steps"]:
            if each["error"]:
                console.print(f"  {each['step']}: {each['error']}", style="red", highlight=False)
    for title in ("inputs", "outputs", "lineage"):
        values = {name: value for name, value in found[title].items() if value}
        if values:
            table = grid(title)
            for name, value in values.items():
                table.add_row(name, value)
            console.print(table)


def _status(step: dict[str, Any]) -> str:
    return f"{step['status']}, reused" if step["reused"] else str(step["status"])


def _step(job: Job, step: Run) -> dict[str, Any]:
    return {
        "step": step.name,
        "job": step.id,
        "status": step.status,
        "started": step.started,
        "ended": step.ended,
        "seconds": seconds(step.started, step.ended),
        "component": _component(job, step.name),
        "reused": step.reused or None,
        "error": step.error or None,
    }


def _component(job: Job, step: str) -> str | None:
    """Return `name:version` of a step's component, or None if it has none in the workspace or in a registry."""
    node = (job.properties.get("jobs") or {}).get(step) or {}
    found = _COMPONENT.fullmatch(str(node.get("componentId") or ""))
    return f"{found['name']}:{found['version']}" if found else None


def _lineage(outputs: StackOutputs, job: Job) -> dict[str, str | None]:
    """Return the commit that the job was submitted from, and the model that it registered."""
    properties = job.properties.get("properties") or {}
    commit = inputs(job).get("git_sha") or next((properties[key] for key in _COMMITS if properties.get(key)), None)
    registers = REGISTRATION.partition("/")[0] in (job.properties.get("outputs") or {})
    made = job_output(client(outputs), job.name, REGISTRATION) if registers and job.status == "Completed" else None
    model = f"azureml:{made['name']}:{made['version']}" if made and made.get("registered") else None
    return {"commit": commit, "model": model}
