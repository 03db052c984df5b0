"""Experiments and runs in MLflow's own database.

In Azure ML, a job's name is its run id, but MLflow's API does not let a client choose a run's id. Therefore, amlite
writes the rows of experiments and of jobs' runs itself. Everything that a run logs goes through the MLflow server.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json
from amlite.services.mlflow import server

_EXPERIMENTS = "mlflow/experiments"
_WAITING = "mlflow/waiting"
_ROOTS = "mlflow/roots"
_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


@dataclass(frozen=True)
class Run:
    """A run that amlite itself starts: its id, name, user and experiment, its root run, its parent, and its tags."""

    id: str
    title: str
    user: str
    experiment: str
    root: str
    parent: str | None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class _Settled:
    """The workspaces whose database contains every run that started before the database existed."""

    workspaces: set[str] = field(default_factory=set)


async def running(platform: Platform, workspace: Json) -> Child:
    """Return a workspace's MLflow server. Start it if necessary. Raises StartError."""
    child = await server.ensure(platform, workspace)
    settled = platform.part(_Settled).workspaces
    if workspace["id"] not in settled:
        _settle(platform, workspace)
        settled.add(workspace["id"])
    return child


def prewarm(platform: Platform, workspace_id: str) -> None:
    """Start a workspace's MLflow server in the background: the start takes seconds, and the first job needs it."""
    document = platform.store.get(workspace_id)
    if document is not None:
        platform.background(running(platform, document.body), f"MLflow of {document.body['name']}")


async def compute_created(platform: Platform, compute_id: ResourceId) -> None:
    """Prewarm the server of the first workspace: its compute will run jobs, and jobs use tracking.

    Of several workspaces, such as dev, staging and prod, most run no job. Their servers start with their first job.
    """
    if not platform.part(_Settled).workspaces:
        prewarm(platform, str(compute_id.parent))


def host(workspace: Json) -> str:
    """Return the host name of a workspace's region, such as `westeurope.api.azureml.ms`."""
    return urllib.parse.urlsplit(str(workspace["properties"]["mlFlowTrackingUri"])).netloc


def experiment(platform: Platform, workspace: Json, name: str) -> str:
    """Return the id of the experiment with a name. Create the experiment if it does not exist."""
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


def start_run(platform: Platform, workspace: Json, run: Run) -> None:
    """Record a run as RUNNING, unless an earlier attempt recorded it."""
    number = experiment(platform, workspace, run.experiment)
    adopt(platform, workspace, run.id, run.root)
    with _open(platform, workspace) as database:
        if database is None:
            platform.store.put(f"{_waiting(workspace)}/{run.id}", _WAITING, {"run": asdict(run)})
        else:
            _write_run(platform, database, workspace, run, number)
            database.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?", (run.id,))


def adopt(platform: Platform, workspace: Json, id: str, root: str) -> None:
    """Note the job at the top of the tree that a run belongs to. Unlike the run's tags, clients cannot change this."""
    platform.store.put(f"{_roots(workspace)}/{id}", _ROOTS, {"root": root})


def belongs(platform: Platform, workspace: Json, id: str, root: str) -> bool:
    """Whether a run belongs to the tree of a job."""
    found = platform.store.get(f"{_roots(workspace)}/{id}")
    return found is not None and bool(found.body["root"] == root)


def forget(platform: Platform, workspace: Json) -> None:
    """Forget the trees of a workspace's runs."""
    for document in platform.store.below(_roots(workspace)):
        platform.store.delete(document.id)


def end_run(platform: Platform, workspace: Json, id: str, status: str) -> None:
    """Give a run its final status."""
    with _open(platform, workspace) as database:
        # A run that waits is written when the server has started, which may be long after the database appeared.
        if (waiting := platform.store.get(f"{_waiting(workspace)}/{id}")) is not None:
            platform.store.put(waiting.id, _WAITING, {**waiting.body, "status": status})
        elif database is not None:
            _write_end(platform, database, id, status)


def _write_end(platform: Platform, database: sqlite3.Connection, id: str, status: str) -> None:
    values = (_STATUS[status], _now(platform), id)
    database.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", values)


def set_tags(platform: Platform, workspace: Json, id: str, tags: Mapping[str, str], gone: Iterable[str] = ()) -> None:
    """Set and remove tags of a run. Do nothing if it has not started."""
    with _open(platform, workspace) as database:
        if (waiting := platform.store.get(f"{_waiting(workspace)}/{id}")) is not None:
            run = {**waiting.body["run"], "tags": dict(tags)}
            platform.store.put(waiting.id, _WAITING, {**waiting.body, "run": run})
        if database is None:
            return
        database.executemany("DELETE FROM tags WHERE run_uuid = ? AND key = ?", [(id, key) for key in gone])
        database.executemany(
            "INSERT OR REPLACE INTO tags (key, value, run_uuid) SELECT ?, ?, run_uuid FROM runs WHERE run_uuid = ?",
            [(key, value, id) for key, value in tags.items()],
        )


def tags(platform: Platform, workspace: Json, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of runs, by their ids, without those of MLflow itself."""
    found: dict[str, dict[str, str]] = {id: {} for id in ids}
    with _open(platform, workspace) as database:
        if database is not None:
            rows = database.execute(
                "SELECT run_uuid, key, value FROM tags WHERE key NOT LIKE 'mlflow.%' "
                "AND run_uuid IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            )
            for id, key, value in rows:
                found[id][key] = value
    return found


def _settle(platform: Platform, workspace: Json) -> None:
    """Record the runs that started before the database existed."""
    experiment(platform, workspace, server.DEFAULT_EXPERIMENT)  # for clients that do not name an experiment
    for waiting in platform.store.below(_waiting(workspace)):
        run = Run(**waiting.body["run"])
        start_run(platform, workspace, run)
        with _open(platform, workspace) as database:
            if database is not None and "status" in waiting.body:
                _write_end(platform, database, run.id, waiting.body["status"])
        platform.store.delete(waiting.id)


def _waiting(workspace: Json) -> str:
    return f"{_WAITING}/{workspace['properties']['workspaceId']}"


def _roots(workspace: Json) -> str:
    return f"{_ROOTS}/{workspace['properties']['workspaceId']}"


def logged(platform: Platform, workspace: Json, name: str) -> tuple[dict[str, float], dict[str, str], dict[str, str]]:
    """Return the logged data of a run: the latest value of each metric, the parameters, and the tags."""
    with _open(platform, workspace) as database:
        if database is None:
            return {}, {}, {}

        def select(column: str, table: str) -> dict[str, Any]:
            rows = database.execute(f"SELECT key, {column} FROM {table} WHERE run_uuid = ?", (name,))  # noqa: S608
            return dict(rows.fetchall())

        return select("value", "latest_metrics"), select("value", "params"), select("value", "tags")


def experiment_of(platform: Platform, workspace: Json, run: str) -> str | None:
    """Return the name of the experiment that a run belongs to, or None if there is no such run."""
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


def _write_run(platform: Platform, database: sqlite3.Connection, workspace: Json, run: Run, experiment_id: str) -> None:
    artifacts = f"{server.runs_uri(workspace, run.experiment)}/{run.id}/artifacts"
    database.execute(
        "INSERT OR IGNORE INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
        "start_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'JOB', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)",
        (run.id, run.title, run.user, _now(platform), artifacts, experiment_id),
    )
    tags = {
        "mlflow.runName": run.title,
        "mlflow.user": run.user,
        "mlflow.source.type": "JOB",
        "mlflow.rootRunId": run.root,
        **run.tags,
    }
    if run.parent is not None:
        tags["mlflow.parentRunId"] = run.parent
    rows = [(key, value, run.id) for key, value in tags.items()]
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
