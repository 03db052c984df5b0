"""Jobs and their runs, as a workspace keeps them."""

from __future__ import annotations

from typing import Any

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.databricks import definition, workspaces
from amlite.services.databricks.errors import invalid

JOB, RUN, OUTPUT = "databricks/jobs", "databricks/runs", "databricks/outputs"
_FIRST_NUMBER = 100_000_000_000
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


def create(platform: Platform, workspace: Document, principal: Principal, settings: Json) -> int:
    """Store a job and return its id. Raises DatabricksError."""
    definition.check(settings)
    number = _FIRST_NUMBER + platform.store.next("databricks/numbers")
    job = {
        "job_id": number,
        "creator_user_name": principal.client_id,
        "run_as_user_name": principal.client_id,
        "created_time": _now(platform),
        "settings": _complete(settings),
    }
    platform.store.put(workspaces.content(workspace, "jobs", number), JOB, job)
    return number


def change(platform: Platform, workspace: Document, job_id: Any, settings: Json) -> None:
    """Replace the settings of a job. Raises DatabricksError."""
    job = get(platform, workspace, job_id)
    definition.check(settings)
    platform.store.put(
        workspaces.content(workspace, "jobs", job["job_id"]), JOB, {**job, "settings": _complete(settings)}
    )


def _complete(settings: Json) -> Json:
    """Return the settings of a job with those that each job has."""
    given = {name: value for name, value in settings.items() if value is not None}
    return {"name": "Untitled", "format": "MULTI_TASK", "max_concurrent_runs": 1, **given}


def get(platform: Platform, workspace: Document, job_id: Any) -> Json:
    """Return a job. Raises DatabricksError."""
    document = platform.store.get(workspaces.content(workspace, "jobs", job_id))
    if document is None:
        raise invalid(f"Job {job_id} does not exist.")
    return document.body


def every(platform: Platform, workspace: Document, name: str | None = None) -> list[Json]:
    """Return the jobs, newest first, of one name if given."""
    found = [each.body for each in platform.store.below(workspaces.content(workspace, "jobs"), JOB)]
    return [job for job in reversed(found) if name is None or job["settings"]["name"].lower() == name.lower()]


def delete(platform: Platform, workspace: Document, job_id: Any) -> None:
    """Delete a job, if it exists."""
    platform.store.delete(workspaces.content(workspace, "jobs", job_id))


def new_run(
    platform: Platform, workspace: Document, principal: Principal, settings: Json, given: Json, job_id: int | None
) -> Json:
    """Store a run with its tasks, and return it. Raises DatabricksError."""
    number = _FIRST_NUMBER + platform.store.next("databricks/numbers")
    url = f"https://{workspace.body['properties']['workspaceUrl']}/jobs/{job_id or 0}/runs/{number}"
    values = definition.parameters_of(settings, given)
    run = {
        "run_id": number,
        "run_name": settings.get("run_name") or settings.get("name") or "Untitled",
        "run_page_url": url,
        "run_type": "JOB_RUN" if job_id else "SUBMIT_RUN",
        "creator_user_name": principal.client_id,
        "start_time": _now(platform),
        "end_time": 0,
        "trigger": "ONE_TIME",
        "format": "MULTI_TASK",
        "job_parameters": [{"name": name, "value": value} for name, value in values.items()],
        "settings": settings,
        **({"job_id": job_id} if job_id else {}),
        **_state("PENDING"),
    }
    run["tasks"] = [
        {
            "run_id": _FIRST_NUMBER + platform.store.next("databricks/numbers"),
            "task_key": task["task_key"],
            "spark_python_task": task["spark_python_task"],
            "depends_on": task.get("depends_on") or [],
            "attempt_number": 0,
            "start_time": 0,
            "end_time": 0,
            **_state("PENDING"),
        }
        for task in settings["tasks"]
    ]
    return put_run(platform, workspace, run)


def put_run(platform: Platform, workspace: Document, run: Json) -> Json:
    """Store a run."""
    return platform.store.put(workspaces.content(workspace, "runs", run["run_id"]), RUN, run).body


def put_output(platform: Platform, workspace: Document, task: Json, output: Json) -> None:
    """Store what a task printed and its error. It is large, so it is not a part of the run, which is read in lists."""
    platform.store.put(workspaces.content(workspace, "outputs", task["run_id"]), OUTPUT, output)


def output_of(platform: Platform, workspace: Document, task: Json) -> Json:
    """Return what a task printed and its error, or {} before its end."""
    document = platform.store.get(workspaces.content(workspace, "outputs", task["run_id"]))
    return document.body if document is not None else {}


def run_of(platform: Platform, workspace: Document, run_id: Any) -> Json:
    """Return a run by its id, or by that of one of its tasks. Raises DatabricksError."""
    document = platform.store.get(workspaces.content(workspace, "runs", run_id))
    if document is not None:
        return document.body
    for each in runs_of(platform, workspace):
        if any(str(task["run_id"]) == str(run_id) for task in each["tasks"]):
            return each
    raise invalid(f"Run {run_id} does not exist.")


def runs_of(platform: Platform, workspace: Document, job_id: Any = None) -> list[Json]:
    """Return the runs, newest first, of one job if given."""
    found = [each.body for each in platform.store.below(workspaces.content(workspace, "runs"), RUN)]
    return [run for run in reversed(found) if job_id is None or str(run.get("job_id")) == str(job_id)]


def set_state(platform: Platform, part: Json, life: str, result: str = "", message: str = "", code: str = "") -> None:
    """Change the state of a run or of a task in it."""
    part.update(_state(life, result, message, code))
    if life == "RUNNING" and not part["start_time"]:
        part["start_time"] = _now(platform)
    if life in ENDED:
        part["end_time"] = _now(platform)
        part["run_duration"] = part["end_time"] - (part["start_time"] or part["end_time"])


def shown(run: Json) -> Json:
    """Return a run as the API shows it."""
    return {name: value for name, value in run.items() if name != "settings"}


def _state(life: str, result: str = "", message: str = "", code: str = "") -> Json:
    old = {"life_cycle_state": life, "state_message": message, "user_cancelled_or_timedout": result == "CANCELED"}
    new: Json = {"state": life if life in ("PENDING", "RUNNING") else "TERMINATED"}
    if result:
        old["result_state"] = result
        kind = "SUCCESS" if result == "SUCCESS" else "CLIENT_ERROR"
        new["termination_details"] = {"code": code or result, "type": kind, "message": message}
    return {"state": old, "status": new}


def _now(platform: Platform) -> int:
    return round(platform.clock.timestamp() * 1000)
