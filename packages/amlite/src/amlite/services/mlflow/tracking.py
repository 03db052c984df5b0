"""Experiments and runs in MLflow's own database.

A job's name is its run id in Azure ML, and MLflow's API lets nobody choose a run's id; so amlite writes the rows of
experiments and of jobs' runs itself. Everything that a run logs goes through the MLflow server.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import urllib.parse
from collections.abc import Iterator
from typing import Any

from amlite.core.platform import Platform
from amlite.core.routing import Json
from amlite.services.jobs.documents import Job, every
from amlite.services.mlflow import server

_EXPERIMENTS = "mlflow/experiments"
_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


async def port(platform: Platform, workspace: Json) -> int:
    """Return the loopback port of a workspace's MLflow server, started when needed; raises StartError."""
    child = await server.ensure(platform, workspace)
    settled: set[str] = platform.parts.setdefault("mlflow-settled", set())
    if workspace["id"] not in settled:
        _settle(platform, workspace)
        settled.add(workspace["id"])
    return child.port


def prewarm(platform: Platform, workspace_id: str) -> None:
    """Start a workspace's MLflow server in the background: it takes seconds, and the first job wants it at once."""
    document = platform.store.get(workspace_id)
    if document is None:
        return
    task = asyncio.create_task(port(platform, document.body), name=f"MLflow of {document.body['name']}")
    tasks: set[asyncio.Task[int]] = platform.parts.setdefault("mlflow-prewarm", set())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # who asks first is told what is wrong


def host(workspace: Json) -> str:
    """Return the host name of a workspace's region, such as `westeurope.api.azureml.ms`."""
    return urllib.parse.urlsplit(str(workspace["properties"]["mlFlowTrackingUri"])).netloc


def experiment(platform: Platform, workspace: Json, name: str) -> str:
    """Return the id of an experiment of that name, which is created when there is none."""
    if name == server.DEFAULT_EXPERIMENT:
        number = 0
    else:
        key = f"{_EXPERIMENTS}/{workspace['properties']['workspaceId']}"
        document = platform.store.get(f"{key}/{name}")
        if document is None:
            body = {"name": name, "number": platform.store.next(key)}
            document = platform.store.put(f"{key}/{name}", key, body)
        number = document.body["number"]
    with _open(platform, workspace) as database:
        if database is not None:
            _write_experiment(platform, database, workspace, number, name)
    return str(number)


def start_run(platform: Platform, workspace: Json, job: Job) -> None:
    """Write the run of a job down, RUNNING, unless it is there from an earlier attempt."""
    number = experiment(platform, workspace, str(job.properties["experimentName"]))
    with _open(platform, workspace) as database:
        if database is not None:
            _write_run(platform, database, workspace, job, number)
            database.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?", (job.name,))


def end_run(platform: Platform, workspace: Json, name: str, status: str) -> None:
    """Give the run of a job its final status."""
    with _open(platform, workspace) as database:
        if database is not None:
            values = (_STATUS[status], _now(platform), name)
            database.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", values)


def _settle(platform: Platform, workspace: Json) -> None:
    """Write down the runs of jobs that began before there was a database."""
    experiment(platform, workspace, server.DEFAULT_EXPERIMENT)  # what a client logs to that names none
    for job in every(platform, workspace["id"]):
        if job.status != "NotStarted":
            start_run(platform, workspace, job)
            if job.ended:
                end_run(platform, workspace, job.name, job.status)


def logged(platform: Platform, workspace: Json, name: str) -> tuple[dict[str, float], dict[str, str], dict[str, str]]:
    """Return what a run logged: the latest value of each metric, the parameters, and the tags."""
    with _open(platform, workspace) as database:
        if database is None:
            return {}, {}, {}

        def select(column: str, table: str) -> dict[str, Any]:
            rows = database.execute(f"SELECT key, {column} FROM {table} WHERE run_uuid = ?", (name,))  # noqa: S608
            return dict(rows.fetchall())

        return select("value", "latest_metrics"), select("value", "params"), select("value", "tags")


def experiment_name(platform: Platform, workspace: Json, id: str) -> str | None:
    """Return the name of an experiment, or None when there is none of that id."""
    with _open(platform, workspace) as database:
        if database is None:
            return None
        row = database.execute("SELECT name FROM experiments WHERE experiment_id = ?", (id,)).fetchone()
        return str(row[0]) if row else None


def experiment_of(platform: Platform, workspace: Json, run: str) -> str | None:
    """Return the name of the experiment that a run belongs to, or None when there is no such run."""
    with _open(platform, workspace) as database:
        if database is None:
            return None
        row = database.execute(
            "SELECT e.name FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE run_uuid = ?",
            (run,),
        ).fetchone()
        return str(row[0]) if row else None


def _write_experiment(
    platform: Platform, database: sqlite3.Connection, workspace: Json, number: int, name: str
) -> None:
    place = server.runs_uri(workspace, name)
    known = database.execute("SELECT artifact_location FROM experiments WHERE experiment_id = ?", (number,)).fetchone()
    if known == (place,):
        return
    now = _now(platform)
    database.execute(
        "INSERT INTO experiments "
        "(experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time) "
        "VALUES (?, ?, ?, 'active', ?, ?) ON CONFLICT DO UPDATE SET artifact_location = excluded.artifact_location",
        (number, name, place, now, now),
    )


def _write_run(platform: Platform, database: sqlite3.Connection, workspace: Json, job: Job, experiment_id: str) -> None:
    title = str(job.properties.get("displayName") or job.name)
    user = job.body["systemData"]["createdBy"]
    artifacts = f"{server.runs_uri(workspace, str(job.properties['experimentName']))}/{job.name}/artifacts"
    database.execute(
        "INSERT OR IGNORE INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
        "start_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'JOB', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)",
        (job.name, title, user, _now(platform), artifacts, experiment_id),
    )
    tags = {
        "mlflow.runName": title,
        "mlflow.user": user,
        "mlflow.source.type": "JOB",
        "mlflow.rootRunId": job.run["root"],
    }
    if parent := job.run.get("parent"):
        tags["mlflow.parentRunId"] = parent
    rows = [(key, value, job.name) for key, value in tags.items()]
    database.executemany("INSERT OR IGNORE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", rows)


@contextlib.contextmanager
def _open(platform: Platform, workspace: Json) -> Iterator[sqlite3.Connection | None]:
    path = server.database(platform, workspace)
    if path is None:
        yield None
        return
    connection = sqlite3.connect(path, timeout=10.0)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def _now(platform: Platform) -> int:
    return int(platform.clock.timestamp() * 1000)
